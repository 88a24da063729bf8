package import HTTPClient
internal import JSON
package import Packs
package import Postgres
package import Runtime
package import Weaviate

/// Embeds the vector projection of a pack, keeps the vectors in PostgreSQL and, where there is a
/// Weaviate, writes its objects. Belongs to a loop.
package final class VectorLaneStore: LaneStore, @unchecked Sendable {
    package let name = LaneName.vector
    package let storeName: String
    package let entities: Set<String>
    package let resyncSteps: [ResyncStep]

    let pack: Pack
    let classes: [VectorClass]
    let postgres: PostgresClient
    let weaviate: WeaviateClient?
    let embedder: any Embedder
    let statements: [String: VectorViewStatements]
    /// The store whose classes were made.
    /// Numbers in the vectors that were there when the lane connected; nil if there was none.
    private(set) var storedWidth: Int?
    private var preparedStore: String?

    /// What was read of a chunk.
    package struct Work: Sendable {
        var classes: [ClassWork] = []
    }

    struct ClassWork: Sendable {
        let vectorClass: VectorClass
        var found: [String] = []
        var absent: [String] = []
        var embed: [Embedding] = []
        /// Read already where nothing must be embedded; else nil.
        var objects: [WeaviateObject]?
    }

    /// A text that needs a vector.
    struct Embedding: Sendable {
        let key: String
        let owner: String?
        let hash: String
        let text: String
    }

    package init(
        pack: Pack, classes: [VectorClass], postgres: PostgresClient, weaviate: WeaviateClient?,
        embedder: any Embedder
    ) {
        self.pack = pack
        self.classes = classes
        self.postgres = postgres
        self.weaviate = weaviate
        self.embedder = embedder
        storeName = weaviate == nil ? "postgres" : "weaviate"
        entities = Set(classes.map(\.entityPath))
        var statements: [String: VectorViewStatements] = [:]
        var steps: [ResyncStep] = []
        for each in classes {
            let sql = VectorViewStatements(pack: pack, vectorClass: each)
            statements[each.name] = sql
            func step(_ name: String, _ source: ResyncStep.Source) -> ResyncStep {
                ResyncStep(
                    name: "\(name):\(each.name)", entity: each.entityPath, parts: .all,
                    source: source)
            }
            steps.append(step("objects", .view(first: sql.firstKeys, next: sql.nextKeys)))
            steps.append(step("extra-vectors", .store(absent: sql.absentKeys)))
            if weaviate != nil {
                steps.append(step("extra-objects", .store(absent: sql.absentKeys)))
            }
        }
        self.statements = statements
        resyncSteps = steps
    }

    package var mustRepeatAfterTakeover: Bool { weaviate != nil }
    package var breakerState: CircuitBreaker.State { weaviate?.breakerState ?? .closed }

    // MARK: Identity and fence

    package func identify(
        deadline: Deadline
    ) async throws(LaneError) -> (identity: String, revision: Int64) {
        try await checkModel(deadline)
        guard let weaviate else { return ("postgres", 0) }
        do throws(WeaviateError) {
            let store = try await weaviate.storeIdentity(lane: identityName, deadline: deadline)
            if preparedStore != store {
                for each in classes {
                    _ = try await weaviate.ensureClass(
                        Array(each.definition.utf8), deadline: deadline)
                }
                preparedStore = store
            }
            return ("weaviate:\(store)", 0)
        } catch {
            throw LaneError(error)
        }
    }

    /// Vectors of two models cannot be compared, and a store takes only one width.
    private func checkModel(_ deadline: Deadline) async throws(LaneError) {
        let model = embedder.model
        let other: PostgresResult
        do throws(PostgresError) {
            storedWidth = try await postgres.query(
                VectorViewStatements.storedWidth, [.text(pack.name)], deadline: deadline
            ).int(0, 0).map { Int($0) }
            other = try await postgres.query(
                VectorViewStatements.otherModel,
                [.text(pack.name), .text(model.name), .text(model.version)], deadline: deadline)
        } catch {
            throw .postgres(error)
        }
        guard other.rowCount > 0 else { return }
        throw .modelChanged(
            stored: "\(other.string(0, 0) ?? "") \(other.string(0, 1) ?? "")",
            configured: "\(model.name) \(model.version)")
    }

    /// What names the store in the store.
    private var identityName: String { "\(pack.name)/\(name.rawValue)" }

    /// Throws when Weaviate is not the one that the lane connected to.
    func checkIdentity(_ weaviate: WeaviateClient, _ deadline: Deadline) async throws(LaneError) {
        let present: String?
        do throws(WeaviateError) {
            present = try await weaviate.presentIdentity(lane: identityName, deadline: deadline)
        } catch {
            throw LaneError(error)
        }
        if present == nil || present != preparedStore { throw .storeChanged }
    }

    /// There is no fence in the store: the lease is asked before each batch instead.
    package func raiseFence(_ permit: LanePermit, deadline: Deadline) async throws(LaneError) {
        try await permit.confirm()
    }

    // MARK: Reading

    package func read(
        _ chunk: LaneChunk, on connection: PostgresConnection
    ) async throws -> Work {
        var work = Work()
        for (path, keys) in chunk.entities where !keys.isEmpty {
            for each in classes where each.entityPath == path {
                work.classes.append(try await read(each, keys.keys, connection))
            }
        }
        return work
    }

    private func read(
        _ vectorClass: VectorClass, _ keys: [String], _ connection: PostgresConnection
    ) async throws -> ClassWork {
        var work = ClassWork(vectorClass: vectorClass)
        guard let sql = statements[vectorClass.name] else { return work }
        let model = embedder.model
        let state = try await connection.query(
            sql.state,
            [
                .textArray(keys), .text(pack.name), .text(vectorClass.name), .text(model.name),
                .text(model.version),
            ])
        for row in 0..<state.rowCount {
            guard let key = state.string(row, 0), let hash = state.string(row, 2) else { continue }
            work.found.append(key)
            if let text = state.string(row, 3) {
                work.embed.append(
                    Embedding(key: key, owner: state.string(row, 1), hash: hash, text: text))
            }
        }
        let found = Set(work.found)
        work.absent = keys.filter { !found.contains($0) }
        if work.embed.isEmpty && weaviate != nil {
            work.objects = try await objects(work, on: connection)
        }
        return work
    }

    /// The objects of the keys that were found, as they are now.
    func objects(
        _ work: ClassWork, on connection: PostgresConnection
    ) async throws(PostgresError) -> [WeaviateObject] {
        guard let sql = statements[work.vectorClass.name], !work.found.isEmpty else { return [] }
        let result = try await connection.query(
            sql.objects,
            [.textArray(work.found), .text(pack.name), .text(work.vectorClass.name)])
        return (0..<result.rowCount).map { row in
            WeaviateObject(
                id: result.string(row, 0) ?? "", properties: Array(result.bytes(row, 1)),
                vector: result.isNull(row, 2) ? nil : VectorText.parse(result.bytes(row, 2)))
        }
    }

    // MARK: Reconciliation

    package func storeKeys(
        _ step: ResyncStep, after: String, limit: Int, deadline: Deadline
    ) async throws(LaneError) -> (keys: [String], last: String?) {
        let className = String(step.name.split(separator: ":").last ?? "")
        if step.name.hasPrefix("extra-vectors") {
            do throws(PostgresError) {
                let result = try await postgres.query(
                    VectorViewStatements.keptKeys,
                    [.text(pack.name), .text(className), .text(after), .int(Int64(limit))],
                    deadline: deadline)
                let keys = (0..<result.rowCount).compactMap { result.string($0, 0) }
                return (keys, keys.last)
            } catch {
                throw .postgres(error)
            }
        }
        guard let weaviate else { return ([], nil) }
        do throws(WeaviateError) {
            let objects = try await weaviate.list(
                className: className, after: after.isEmpty ? WeaviateClient.listStart : after,
                limit: min(limit, 1_000), deadline: deadline)
            let keys = objects.map(\.id)
            return (keys, keys.last)
        } catch {
            throw LaneError(error)
        }
    }
}

/// Vectors as PostgreSQL writes a `real[]`.
enum VectorText {
    /// Nil for an empty or all-zero vector, which has no direction.
    static func parse(_ text: UnsafeRawBufferPointer) -> [Float]? {
        var vector: [Float] = []
        vector.reserveCapacity(text.count / 11)
        var hasDirection = false
        for part in text.split(whereSeparator: { $0 == 0x7B || $0 == 0x7D || $0 == 0x2C }) {
            guard let number = Float(String(decoding: part, as: UTF8.self)) else { return nil }
            if number != 0 { hasDirection = true }
            vector.append(number)
        }
        return hasDirection ? vector : nil
    }

    static func write(_ vector: [Float]) -> String {
        "{" + vector.map(\.description).joined(separator: ",") + "}"
    }
}
