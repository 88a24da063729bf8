internal import Gateway
internal import Glibc
internal import HTTPClient
internal import HTTPServer
internal import Neo4j
internal import Packs
internal import Postgres
internal import Projection
internal import Runtime
internal import Weaviate

/// The running gateway: loops that serve, and what they share.
final class Service: Sendable {
    private let plan: ServePlan

    init(_ plan: ServePlan) { self.plan = plan }

    func run(on main: EventLoop) async -> Fourfold.ExitCode {
        let started = Deadline.after(.zero)
        do throws(HTTPListenError) {
            try plan.address.requireFree()
        } catch {
            complain("\(error)")
            return .failed
        }
        let client = plan.database.client(main)
        defer { client.close() }
        guard await plan.database.waitUntilReachable(client, main) else { return .failed }
        guard let packs = await plan.database.migrateAndCompile(client) else { return .failed }
        guard let origin = await tokenOrigin(client) else { return .failed }

        applySchemas(packs, main)
        let overload = LaneOverload()
        let lanes = LaneService(plan: plan, packs: packs)
        if plan.settings.isOn("FOURFOLD_LANES") {
            guard await lanes.start() else { return .failed }
        }
        watchLag(of: packs, overload, client, main)
        let channels = ChannelService(plan: plan)
        await channels.start()
        let served = packs.map { ServedPack($0, live: plan.live) }
        let configuration = plan.gateway(tokenOrigin: origin)
        var workers: [ServiceWorker] = []
        for index in 0..<plan.loopCount {
            // A Unix socket has one listener.
            if index > 0, case .unix = plan.address { break }
            workers.append(
                ServiceWorker(
                    index: index, plan: plan, packs: served, configuration: configuration,
                    channels: channels, relay: lanes.relay, overload: overload))
        }
        for worker in workers {
            guard await worker.start() else { return .failed }
        }
        let milliseconds = (monotonicNanoseconds() - started.nanoseconds) / 1_000_000
        Log.info(
            "serving", ("address", plan.address.description),
            ("packs", packs.map(\.name).joined(separator: " ")),
            ("loops", String(workers.count)), ("start_ms", String(milliseconds)))
        await waitForSignal(main)
        Log.info("draining")
        await withTaskGroup(of: Void.self) { group in
            for worker in workers { group.addTask { await worker.drain() } }
        }
        for worker in workers { worker.stop() }
        await channels.stop()
        await lanes.stop()
        Log.info("stopped")
        return .done
    }

    /// In the background: a graph that is away must not hold up entities. The lanes make what they
    /// cannot do without by themselves when they connect.
    private func applySchemas(_ packs: [Pack], _ main: EventLoop) {
        main.spawn { [plan] in
            let schemas = StoreSchemas(plan.settings, main)
            defer { schemas.close() }
            _ = await schemas.apply(packs)
        }
    }

    private func watchLag(
        of packs: [Pack], _ overload: LaneOverload, _ client: PostgresClient, _ main: EventLoop
    ) {
        guard let budget = plan.settings.optionalDuration("FOURFOLD_LAG_BUDGET") else { return }
        let http = HTTPClient(loop: main)
        LagWatch(
            packs: packs, budget: budget, overload: overload,
            reader: SyncReader(
                loop: main, postgres: client,
                neo4j: plan.neo4j.map { Neo4jClient(client: http, configuration: $0) },
                weaviate: plan.weaviate.map { WeaviateClient(client: http, configuration: $0) },
                progress: LaneProgress())
        ).start(on: main)
    }

    private func tokenOrigin(_ client: PostgresClient) async -> UInt32? {
        do throws(PostgresError) {
            let result = try await client.query(
                Statement(
                    unnamed: """
                        SELECT s.system_identifier, c.timeline_id
                        FROM pg_control_system() AS s, pg_control_checkpoint() AS c
                        """, isReadOnly: true), deadline: .after(.seconds(10)))
            return ConsistencyToken.origin(
                systemIdentifier: UInt64(bitPattern: result.int(0, 0) ?? 0),
                timeline: UInt32(truncatingIfNeeded: result.int(0, 1) ?? 0))
        } catch {
            complain("the database's identity cannot be read: \(operatorText(error, client))")
            return nil
        }
    }

    /// Returns at the first SIGTERM or SIGINT; a second one ends the process.
    private func waitForSignal(_ main: EventLoop) async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            let isFirst = Lock(true)
            SignalWatcher.watch([SIGTERM, SIGINT], on: main) { _ in
                let mustDrain = isFirst.withLock { first in
                    defer { first = false }
                    return first
                }
                if mustDrain {
                    continuation.resume()
                } else {
                    Log.warning("ended by a second signal")
                    Log.shared.drain()
                    _exit(Fourfold.ExitCode.failed.rawValue)
                }
            }
        }
    }
}
