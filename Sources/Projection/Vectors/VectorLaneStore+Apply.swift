internal import Packs
internal import Postgres
package import Runtime
internal import Weaviate

extension VectorLaneStore {
    /// An object that the store refuses this often for a reason we do not know is parked.
    private static let unclassifiedCountMax = 3
    /// Objects in one request; more than the client takes are halved.
    private static let objectCountMax = 500
    /// Ids in one deletion by filter.
    private static let deletionCountMax = 500

    /// Embeds what must be, keeps the vectors, then writes the store's objects.
    package func apply(
        _ work: Work, _ permit: LanePermit, deadline: Deadline
    ) async throws(LaneError) -> [PoisonKey] {
        var poison: [PoisonKey] = []
        if let weaviate, !work.classes.isEmpty { try await checkIdentity(weaviate, deadline) }
        for each in work.classes {
            let (vectors, refused) = try await embed(each, permit, deadline)
            poison += refused
            if !vectors.isEmpty || !each.absent.isEmpty {
                try await keep(each, vectors, permit, deadline)
            }
            guard weaviate != nil else { continue }
            poison += try await upsert(each, except: Set(refused.map(\.key)), permit, deadline)
            try await remove(each, permit, deadline)
        }
        return poison
    }

    // MARK: Embedding

    private typealias Embedded = (text: Embedding, vector: [Float])

    private func embed(
        _ work: ClassWork, _ permit: LanePermit, _ deadline: Deadline
    ) async throws(LaneError) -> (vectors: [Embedded], poison: [PoisonKey]) {
        var vectors: [Embedded] = []
        var poison: [PoisonKey] = []
        for start in stride(from: 0, to: work.embed.count, by: embedder.batchSizeMax) {
            let batch = Array(
                work.embed[start..<min(start + embedder.batchSizeMax, work.embed.count)])
            try permit.check()
            if try await embed(batch[...], into: &vectors, deadline) == nil { continue }
            var bisector = BatchBisector(rowCount: batch.count)
            while let range = bisector.next() {
                try permit.check()
                if let code = try await embed(batch[range], into: &vectors, deadline) {
                    if bisector.refused() {
                        poison.append(
                            PoisonKey(
                                entity: work.vectorClass.entityPath,
                                key: batch[range.lowerBound].key, code: code))
                    }
                } else {
                    bisector.passed()
                }
            }
        }
        return (vectors, poison)
    }

    /// - Returns: Nil, or why these texts are refused.
    private func embed(
        _ batch: ArraySlice<Embedding>, into vectors: inout [Embedded], _ deadline: Deadline
    ) async throws(LaneError) -> String? {
        let made: [[Float]]
        do throws(EmbedderError) {
            made = try await embedder.embed(batch.map(\.text), deadline: deadline)
        } catch {
            switch error {
            case .refused(400), .refused(413), .refused(422): return error.code
            default: throw .embedder(error)
            }
        }
        // Another model under the same name.
        if let storedWidth, let width = made.first?.count, width != storedWidth {
            throw .modelChanged(
                stored: "\(storedWidth) numbers each", configured: "\(width) numbers each")
        }
        vectors += zip(batch, made).map { ($0, $1) }
        return nil
    }

    /// Writes vectors and takes those of absent keys away, if the lane is still ours.
    private func keep(
        _ work: ClassWork, _ vectors: [Embedded], _ permit: LanePermit, _ deadline: Deadline
    ) async throws(LaneError) {
        do {
            try await postgres.withConnection(deadline: deadline) { connection in
                try await connection.transaction {
                    let lane = try await connection.query(
                        VectorViewStatements.lockLane,
                        [.text(pack.name), .text(name.rawValue), .int(permit.epoch)])
                    if lane.rowCount == 0 { throw LaneError.leaseLost }
                    if !vectors.isEmpty {
                        _ = try await connection.query(
                            VectorViewStatements.keep, parameters(work, vectors, permit))
                    }
                    if !work.absent.isEmpty {
                        _ = try await connection.query(
                            VectorViewStatements.forget,
                            [
                                .text(pack.name), .text(work.vectorClass.name),
                                .textArray(work.absent),
                            ])
                    }
                }
            }
        } catch {
            throw LaneError(error)
        }
    }

    private func parameters(
        _ work: ClassWork, _ vectors: [Embedded], _ permit: LanePermit
    ) -> [Parameter] {
        let model = embedder.model
        return [
            .text(pack.name), .text(work.vectorClass.name), .text(model.name),
            .text(model.version), .int(permit.revision),
            .textArray(vectors.map(\.text.key)), .textArray(vectors.map(\.text.owner)),
            .textArray(vectors.map(\.text.hash)),
            .textArray(vectors.map { VectorText.write($0.vector) }),
            .textArray(vectors.map(\.text.text)),
        ]
    }

    // MARK: Weaviate

    private func upsert(
        _ work: ClassWork, except refused: Set<String>, _ permit: LanePermit, _ deadline: Deadline
    ) async throws(LaneError) -> [PoisonKey] {
        var objects: [WeaviateObject]
        if let read = work.objects {
            objects = read
        } else {
            do {
                objects = try await postgres.withConnection(deadline: deadline) { connection in
                    try await self.objects(work, on: connection)
                }
            } catch {
                throw LaneError(error)
            }
        }
        objects.removeAll { refused.contains($0.id) }
        var poison: [PoisonKey] = []
        for start in stride(from: 0, to: objects.count, by: VectorLaneStore.objectCountMax) {
            let end = min(start + VectorLaneStore.objectCountMax, objects.count)
            let batch = objects[start..<end]
            poison += try await upsert(batch, work.vectorClass, permit, deadline)
        }
        return poison
    }

    private func upsert(
        _ batch: ArraySlice<WeaviateObject>, _ vectorClass: VectorClass, _ permit: LanePermit,
        _ deadline: Deadline
    ) async throws(LaneError) -> [PoisonKey] {
        guard let weaviate, !batch.isEmpty else { return [] }
        try await permit.confirm()
        let outcomes: [WeaviateRejection?]
        do throws(WeaviateError) {
            outcomes = try await weaviate.upsert(
                className: vectorClass.name, Array(batch), deadline: deadline)
        } catch {
            guard error.mustSplit else { throw LaneError(error) }
            if batch.count == 1, let only = batch.first {
                return [
                    PoisonKey(entity: vectorClass.entityPath, key: only.id, code: error.code)
                ]
            }
            let middle = batch.startIndex + batch.count / 2
            return try await upsert(batch[..<middle], vectorClass, permit, deadline)
                + upsert(batch[middle...], vectorClass, permit, deadline)
        }
        var poison: [PoisonKey] = []
        for (object, rejection) in zip(batch, outcomes) {
            guard let rejection else { continue }
            // The class is gone: the store is another one than we connected to.
            if rejection.code == "unknown_class" { throw .storeChanged }
            let isStoresFault =
                rejection.kind == .transient
                || rejection.kind == .unclassified
                    && permit.failureCount < VectorLaneStore.unclassifiedCountMax
            if isStoresFault { throw .store(code: rejection.code, mayHaveBeenApplied: false) }
            poison.append(
                PoisonKey(
                    entity: vectorClass.entityPath, key: object.id, code: rejection.code))
        }
        return poison
    }

    private func remove(
        _ work: ClassWork, _ permit: LanePermit, _ deadline: Deadline
    ) async throws(LaneError) {
        guard let weaviate else { return }
        for start in stride(from: 0, to: work.absent.count, by: VectorLaneStore.deletionCountMax) {
            let end = min(start + VectorLaneStore.deletionCountMax, work.absent.count)
            try await permit.confirm()
            do throws(WeaviateError) {
                let deletion = try await weaviate.deleteBatch(
                    className: work.vectorClass.name,
                    filter: .containsAny(property: "id", Array(work.absent[start..<end])),
                    deadline: deadline)
                if deletion.failedCount > 0 { throw WeaviateError.unavailable }
            } catch {
                throw LaneError(error)
            }
        }
    }
}
