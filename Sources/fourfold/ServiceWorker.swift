internal import Gateway
internal import HTTPClient
internal import HTTPServer
internal import Neo4j
internal import Postgres
internal import Redis
internal import Runtime
internal import Weaviate

/// One serving loop with its own listener and connections.
final class ServiceWorker: @unchecked Sendable {
    private let loop = EventLoop()
    private let index: Int
    private let plan: ServePlan
    private let packs: [ServedPack]
    private let configuration: GatewayConfiguration
    private var thread: LoopThread?
    private var server: HTTPServer?

    init(index: Int, plan: ServePlan, packs: [ServedPack], configuration: GatewayConfiguration) {
        self.index = index
        self.plan = plan
        self.packs = packs
        self.configuration = configuration
    }

    /// - Returns: False after complaining: the address cannot be listened on.
    func start() async -> Bool {
        thread = loop.startThread(name: "serve-\(index)")
        return await onLoop {
            let gateway = self.makeGateway()
            let server = HTTPServer(
                loop: self.loop, configuration: self.plan.server,
                makeErrorResponse: Gateway.serverErrorResponse
            ) { request in
                await gateway.respond(to: request)
            }
            self.server = server
            do {
                _ = try server.listen(on: self.plan.address)
                return true
            } catch {
                complain("cannot listen on \(self.plan.address.description): \(error)")
                return false
            }
        }
    }

    func drain() async {
        await onLoop { await self.server?.drain() }
    }

    /// Ends the thread. After ``drain()``.
    func stop() {
        loop.stop()
        thread?.join()
    }

    private func makeGateway() -> Gateway {
        let connections = plan.settings.integer("FOURFOLD_EXCLUSIVE_CONNECTIONS")
        let postgres = plan.database.client(loop, exclusiveConnections: connections)
        let http = HTTPClient(loop: loop)
        let stores = StoreReaders(
            redis: RedisClient(loop: loop, configuration: RedisConfiguration(address: plan.redis)),
            neo4j: plan.neo4j.map { Neo4jClient(client: http, configuration: $0) },
            weaviate: plan.weaviate.map { WeaviateClient(client: http, configuration: $0) },
            wake: { _ in })
        return Gateway(
            loop: loop, postgres: postgres, packs: packs, configuration: configuration,
            stores: stores)
    }

    private func onLoop<Result: Sendable>(
        _ body: @escaping @Sendable () async -> Result
    ) async -> Result {
        await withUnsafeContinuation { continuation in
            loop.spawn { continuation.resume(returning: await body()) }
        }
    }
}
