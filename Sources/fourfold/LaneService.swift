internal import Gateway
internal import Glibc
internal import HTTPClient
internal import Live
internal import Neo4j
internal import Packs
internal import Postgres
internal import Projection
internal import Redis
internal import Runtime
internal import Settings
internal import Weaviate

/// The lanes of this process, on a loop of their own: projecting never delays an answer.
final class LaneService: @unchecked Sendable {
    private let loop = EventLoop()
    private let plan: ServePlan
    private let packs: [Pack]
    private var thread: LoopThread?
    private(set) var relay: Relay?
    private var sessionHousekeeper: SessionHousekeeper?
    private var historyDrain: HistoryDrain?

    init(plan: ServePlan, packs: [Pack]) {
        self.plan = plan
        self.packs = packs
    }

    /// - Returns: False after complaining: a pack cannot be projected.
    func start() async -> Bool {
        thread = loop.startThread(name: "lanes")
        return await run(on: loop) {
            let postgres = self.plan.database.client(self.loop, exclusiveConnections: 8)
            let http = HTTPClient(loop: self.loop)
            let redis = self.makeRedis()
            let stores = RelayStores(
                neo4j: self.plan.neo4j.map { Neo4jClient(client: http, configuration: $0) },
                weaviate: self.plan.weaviate.map {
                    WeaviateClient(client: http, configuration: $0)
                },
                redis: redis,
                embedder: makeEmbedder(self.plan.settings, http))
            do throws(LaneError) {
                let relay = try Relay(
                    loop: self.loop, postgres: postgres, packs: self.packs, stores: stores,
                    holder: LaneService.holder(),
                    live: LiveLaneLimits(channels: self.plan.channels))
                self.relay = relay
                relay.start()
            } catch {
                complain("the lanes cannot start: \(error)")
                return false
            }
            self.keepSessions(postgres, redis)
            self.keepHistories(postgres, redis)
            if let period = self.plan.settings.optionalDuration("FOURFOLD_EXPORT_EVERY") {
                for pack in self.packs where pack.export != nil {
                    ExportSchedule(
                        pack: pack, period: period, postgres: postgres, neo4j: stores.neo4j
                    ).start(on: self.loop)
                }
            }
            return true
        }
    }

    private func keepSessions(_ postgres: PostgresClient, _ redis: RedisClient) {
        let housekeeper = SessionHousekeeper(
            loop: loop, postgres: postgres, redis: redis, packs: packs)
        sessionHousekeeper = housekeeper
        housekeeper.start()
    }

    private func keepHistories(_ postgres: PostgresClient, _ redis: RedisClient) {
        let drain = HistoryDrain(loop: loop, postgres: postgres, redis: redis, packs: packs)
        historyDrain = drain
        drain.start()
    }

    private func makeRedis() -> RedisClient {
        var configuration = plan.redis
        // What waits to be told is told soon after Redis is back.
        configuration.backoff.longest = .seconds(1)
        return RedisClient(loop: loop, configuration: configuration)
    }

    /// Nothing to do where ``start()`` was not called.
    func stop() async {
        guard let thread else { return }
        await run(on: loop) {
            self.sessionHousekeeper?.stop()
            await self.historyDrain?.stop()
            await self.relay?.stop()
        }
        loop.stop()
        thread.join()
    }

    /// Shown as `leader`: host, process, and a number that tells two starts apart.
    private static func holder() -> String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        let bytes = name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let host = String(decoding: bytes, as: UTF8.self)
        return "\(host)/\(getpid())/\(String(UInt32.random(in: 0...UInt32.max), radix: 16))"
    }
}

/// The embedder that the settings ask for.
func makeEmbedder(_ settings: Settings, _ http: HTTPClient) -> any Embedder {
    guard let url = settings.text("EMBEDDINGS_URL") else { return HashingEmbedder() }
    return OpenAIEmbedder(
        client: http, baseURL: url, apiKey: settings.text("EMBEDDINGS_API_KEY"),
        model: settings.text("EMBEDDINGS_MODEL") ?? "default")
}

/// Runs `body` on a loop of another thread and waits for it.
func run<Result: Sendable>(
    on loop: EventLoop, _ body: @escaping @Sendable () async -> Result
) async -> Result {
    await withUnsafeContinuation { continuation in
        loop.spawn { continuation.resume(returning: await body()) }
    }
}
