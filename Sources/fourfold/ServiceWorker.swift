internal import Gateway
internal import HTTPClient
internal import HTTPServer
internal import Live
internal import Neo4j
internal import Postgres
internal import Projection
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
    private let channels: ChannelService
    private let relay: Relay?
    private let overload: LaneOverload
    private var thread: LoopThread?
    private var server: HTTPServer?
    private var listeners: ChannelRegistry?

    init(
        index: Int, plan: ServePlan, packs: [ServedPack], configuration: GatewayConfiguration,
        channels: ChannelService, relay: Relay?, overload: LaneOverload
    ) {
        self.index = index
        self.plan = plan
        self.packs = packs
        self.configuration = configuration
        self.channels = channels
        self.relay = relay
        self.overload = overload
    }

    /// - Returns: False after complaining: the address cannot be listened on.
    func start() async -> Bool {
        thread = loop.startThread(name: "serve-\(index)")
        return await run(on: loop) {
            let server = self.makeServer(self.makeGateway())
            self.server = server
            do {
                _ = try server.listen(on: self.plan.address)
                return true
            } catch {
                complain("\(error)")
                return false
            }
        }
    }

    func drain() async {
        await run(on: loop) {
            self.listeners?.drain()
            await self.server?.drain()
        }
    }

    /// Ends the thread. After ``drain()``.
    func stop() {
        loop.stop()
        thread?.join()
    }

    private func makeServer(_ gateway: Gateway) -> HTTPServer {
        guard let cors = plan.cors else {
            return HTTPServer(
                loop: loop, configuration: plan.server,
                makeErrorResponse: Gateway.serverErrorResponse,
                directHandler: gateway.respondDirectly, handler: gateway.respond)
        }
        return HTTPServer(
            loop: loop, configuration: plan.server,
            makeErrorResponse: { error, headers in
                var response = Gateway.serverErrorResponse(error, headers)
                cors.decorate(&response, headers?["origin"])
                return response
            },
            directHandler: { request, reply in
                if request.method == .options { return false }
                let origin = request.headers["origin"]
                return gateway.respondDirectly(
                    to: request, reply.decorated { cors.decorate(&$0, origin) })
            },
            handler: { request in
                if let answer = cors.preflight(request) { return answer }
                // The request is not kept: its head is used again once it is answered.
                let origin = request.headers["origin"]
                var response = await gateway.respond(to: request)
                cors.decorate(&response, origin)
                return response
            })
    }

    private func makeGateway() -> Gateway {
        let connections = plan.settings.integer("FOURFOLD_EXCLUSIVE_CONNECTIONS")
        let postgres = plan.database.client(loop, exclusiveConnections: connections)
        let http = HTTPClient(loop: loop)
        let neo4j = plan.neo4j.map { Neo4jClient(client: http, configuration: $0) }
        let weaviate = plan.weaviate.map { WeaviateClient(client: http, configuration: $0) }
        let embedder = makeEmbedder(plan.settings, http)
        var readers: [String: PackReaders] = [:]
        for served in packs {
            let pack = served.pack
            readers[pack.name] = PackReaders(
                graph: pack.graph.flatMap {
                    // A label that Cypher cannot hold stops the lanes at the start already.
                    try? GraphReader(pack: pack, graph: $0, postgres: postgres, neo4j: neo4j)
                },
                vectors: pack.vectors.map { _ in
                    VectorReader(
                        pack: pack, postgres: postgres, weaviate: weaviate, embedder: embedder)
                })
        }
        let redis = RedisClient(loop: loop, configuration: plan.redis)
        let listeners = channels.registry(loop: loop, index: index, redis: redis)
        self.listeners = listeners
        let stores = StoreReaders(
            redis: redis, channels: listeners, neo4j: neo4j, weaviate: weaviate,
            sync: SyncReader(
                loop: loop, postgres: postgres, neo4j: neo4j, weaviate: weaviate,
                progress: relay?.progress ?? LaneProgress()),
            relay: relay, overload: overload, packs: readers)
        return Gateway(
            loop: loop, postgres: postgres, packs: packs, configuration: configuration,
            stores: stores)
    }
}
