internal import HTTPClient
internal import Neo4j
internal import Packs
internal import Runtime
internal import Settings
internal import Weaviate

/// The packs' Cypher constraints and Weaviate classes. Everything here may run again and again.
final class StoreSchemas: @unchecked Sendable {
    private let http: HTTPClient
    private let neo4j: Neo4jClient?
    private let weaviate: WeaviateClient?

    private static let timeout = Duration.seconds(120)

    init(_ settings: Settings, _ loop: EventLoop) {
        let http = HTTPClient(loop: loop)
        self.http = http
        neo4j = neo4jConfiguration(settings).map { Neo4jClient(client: http, configuration: $0) }
        weaviate = weaviateConfiguration(settings).map {
            WeaviateClient(client: http, configuration: $0)
        }
    }

    func close() { http.close() }

    /// - Returns: False after complaining.
    func apply(_ packs: [Pack]) async -> Bool {
        for pack in packs {
            guard await applyCypher(pack), await applyClasses(pack) else { return false }
        }
        return true
    }

    private func applyCypher(_ pack: Pack) async -> Bool {
        guard let neo4j, !pack.cypher.isEmpty else { return true }
        do throws(Neo4jError) {
            try await neo4j.applySchema(pack.cypher, deadline: .after(StoreSchemas.timeout))
            return true
        } catch {
            complain("the Cypher of \(pack.name) was not applied: \(error.code)")
            return false
        }
    }

    private func applyClasses(_ pack: Pack) async -> Bool {
        guard let weaviate else { return true }
        for vectorClass in pack.vectors?.classes ?? [] {
            do throws(WeaviateError) {
                _ = try await weaviate.ensureClass(
                    Array(vectorClass.definition.utf8), deadline: .after(StoreSchemas.timeout))
            } catch {
                complain("the class \(vectorClass.name) was not made: \(error.code)")
                return false
            }
        }
        return true
    }
}
