package import Live
package import Neo4j
internal import Postgres
package import Projection
package import Redis
internal import Runtime
package import Weaviate

/// The stores beside PostgreSQL as one loop reaches them, and the relay that keeps them in step.
package final class StoreReaders: @unchecked Sendable {
    let redis: RedisClient
    /// Who listens on this loop.
    let channels: ChannelRegistry
    let neo4j: Neo4jClient?
    let weaviate: WeaviateClient?
    let sync: SyncReader
    /// The lanes of this process; nil where it leads none.
    let relay: Relay?
    let overload: LaneOverload
    private let packs: [String: PackReaders]

    package init(
        redis: RedisClient, channels: ChannelRegistry,
        neo4j: Neo4jClient?, weaviate: WeaviateClient?, sync: SyncReader,
        relay: Relay?, overload: LaneOverload, packs: [String: PackReaders]
    ) {
        self.redis = redis
        self.channels = channels
        self.neo4j = neo4j
        self.weaviate = weaviate
        self.sync = sync
        self.relay = relay
        self.overload = overload
        self.packs = packs
    }

    func readers(_ pack: String) throws(Problem) -> PackReaders {
        if let readers = packs[pack] { return readers }
        throw Problem(.unknownPack)
    }

    /// Tells the lanes of this process that there is work. Lanes elsewhere find it by polling.
    func wakeRelay(_ pack: String) { relay?.wake() }

    /// Asks every store, side by side.
    func health(postgres: PostgresClient, deadline: Deadline) async -> [StoreHealth] {
        async let database = check(.postgres) {
            _ = try await postgres.query(StoreReaders.ping, deadline: deadline)
        }
        async let cache = check(.redis) { try await self.redis.ping(deadline: deadline) }
        async let graph = neo4j.asyncMap { neo4j in
            await check(.neo4j) { try await neo4j.checkReadiness(deadline: deadline) }
        }
        async let vectors = weaviate.asyncMap { weaviate in
            await check(.weaviate) { try await weaviate.checkReadiness(deadline: deadline) }
        }
        return await [database, cache, graph, vectors].compactMap { $0 }
    }

    private static let ping = Statement("ping", "SELECT 1", isReadOnly: true)
}

private func check(_ store: StoreName, _ probe: () async throws -> Void) async -> StoreHealth {
    do {
        try await probe()
        return StoreHealth(store, .up)
    } catch {
        return StoreHealth(store, .down, reason: "it does not answer")
    }
}

extension Optional where Wrapped: Sendable {
    fileprivate func asyncMap<Value>(_ body: (Wrapped) async -> Value) async -> Value? {
        guard let self else { return nil }
        return await body(self)
    }
}
