package import HTTPClient
package import Neo4j
package import Packs
package import Postgres
package import Redis
package import Runtime
package import Weaviate

/// The stores that a relay writes to; nil where there is none. All belong to the relay's loop.
package struct RelayStores: Sendable {
    package var neo4j: Neo4jClient?
    package var weaviate: WeaviateClient?
    package var redis: RedisClient?
    package var embedder: any Embedder

    package init(
        neo4j: Neo4jClient? = nil, weaviate: WeaviateClient? = nil, redis: RedisClient? = nil,
        embedder: any Embedder = HashingEmbedder()
    ) {
        self.neo4j = neo4j
        self.weaviate = weaviate
        self.redis = redis
        self.embedder = embedder
    }
}

/// All lanes of one process. Belongs to a loop; better one that serves no requests.
///
/// With no Neo4j there is no graph lane: the embedded graph reads the views themselves.
package final class Relay: @unchecked Sendable {
    /// What this process knows of one of its lanes.
    package struct LocalLane: Sendable {
        package var pack: String
        package var lane: LaneName
        package var store: String
        package var state: LaneStateMachine.State
        package var isLeading: Bool
        package var breaker: CircuitBreaker.State
        package var lastError: LaneError?
    }

    /// Lets waiters for tokens look again whenever a lane of this process has moved.
    package let progress = LaneProgress()

    private let loop: EventLoop
    private let postgres: PostgresClient
    private let packs: [Pack]
    private let housekeeper: OutboxHousekeeper
    private var lanes: [any RelayLane] = []
    private let isWakePending = Lock(false)

    /// - Parameters:
    ///   - holder: Unique to this process, e.g. host, process id and a random number; shown as
    ///     `leader`.
    /// - Throws: ``LaneError/invalidPlan(_:)`` for a name that Cypher cannot hold.
    package init(
        loop: EventLoop, postgres: PostgresClient, packs: [Pack], stores: RelayStores,
        holder: String, configuration: LaneConfiguration = .init(),
        live: LiveLaneLimits = .init(), probe: any LaneProbe = NoProbe()
    ) throws(LaneError) {
        loop.preconditionOnLoop()
        self.loop = loop
        self.postgres = postgres
        self.packs = packs
        var absent: [(pack: String, lane: LaneName)] = []
        var made: [any RelayLane] = []
        let moved: @Sendable () -> Void = { [progress] in progress.signal() }
        for pack in packs {
            if let graph = pack.graph, let neo4j = stores.neo4j {
                let store = try GraphLaneStore(
                    pack: pack, graph: graph, neo4j: neo4j, postgres: postgres)
                made.append(
                    LaneRunner(
                        pack: pack, loop: loop, postgres: postgres, store: store, holder: holder,
                        configuration: configuration, probe: probe, progress: moved))
            } else {
                absent.append((pack.name, .graph))
            }
            if let vectors = pack.vectors, !vectors.classes.isEmpty {
                let store = VectorLaneStore(
                    pack: pack, classes: vectors.classes, postgres: postgres,
                    weaviate: stores.weaviate, embedder: stores.embedder)
                made.append(
                    LaneRunner(
                        pack: pack, loop: loop, postgres: postgres, store: store, holder: holder,
                        configuration: configuration, probe: probe, progress: moved))
            } else {
                absent.append((pack.name, .vector))
            }
            if let redis = stores.redis, !pack.live.followedEntities.isEmpty {
                let store = LiveLaneStore(
                    pack: pack, postgres: postgres, redis: redis, limits: live)
                made.append(
                    LaneRunner(
                        pack: pack, loop: loop, postgres: postgres, store: store, holder: holder,
                        configuration: configuration.forLiveLane, probe: probe, progress: moved))
            } else {
                absent.append((pack.name, .live))
            }
        }
        lanes = made
        housekeeper = OutboxHousekeeper(loop: loop, postgres: postgres, absentLanes: absent)
    }

    /// Starts every lane. On the loop, once.
    package func start() {
        for lane in lanes { lane.start() }
        housekeeper.start()
    }

    /// Ends after the requests under way and gives the leases back. On the loop.
    package func stop() async {
        housekeeper.stop()
        for lane in lanes { await lane.stop() }
    }

    /// Something was committed by this process. Any thread; cheap.
    package func wake() {
        let isFirst = isWakePending.withLock { isPending in
            defer { isPending = true }
            return !isPending
        }
        guard isFirst else { return }
        loop.submit { [self] in
            isWakePending.withLock { $0 = false }
            for lane in lanes { lane.wake() }
        }
    }

    /// The lanes of this process as they are now. Any loop.
    package func localLanes() async -> [LocalLane] {
        await withUnsafeContinuation { caller in
            loop.submit { [self] in caller.resume(returning: lanes.map(\.local)) }
        }
    }
}

/// A lane of any store.
protocol RelayLane: AnyObject, Sendable {
    var local: Relay.LocalLane { get }
    func start()
    func stop() async
    func wake()
}

extension LaneRunner: RelayLane {
    var local: Relay.LocalLane {
        Relay.LocalLane(
            pack: pack.name, lane: store.name, store: store.storeName, state: state,
            isLeading: isLeading, breaker: store.breakerState, lastError: lastError)
    }
}
