internal import Gateway
internal import Glibc
internal import HTTPServer
internal import Packs
internal import Redis
internal import Runtime
internal import Settings

/// `fourfold serve`
let serveCommand = Command(
    name: "serve",
    summary: "Migrates, then answers HTTP and leads lanes until it gets SIGTERM or SIGINT.",
    flags: [:],
    details: "The first signal drains, the second ends at once."
) { settings in
    guard let plan = ServePlan(settings) else { return .failed }
    return runOnLoop { loop in await Service(plan).run(on: loop) }
}

/// Everything of the settings that serving needs, checked.
struct ServePlan: Sendable {
    let settings: Settings
    let database: Database
    let redis: RedisAddress
    let address: HTTPListenAddress
    let keys: ServiceKeys

    /// - Returns: nil after complaining.
    init?(_ settings: Settings) {
        self.settings = settings
        guard let database = Database(settings) else { return nil }
        self.database = database
        guard let url = settings.text("REDIS_URL") else {
            complain("REDIS_URL is not set: redis://[user:password@]host[:port][/db] or unix:/path")
            return nil
        }
        do throws(RedisAddressError) {
            redis = try RedisAddress.parse(url)
        } catch {
            complain("REDIS_URL is not valid: \(error)")
            return nil
        }
        guard let address = HTTPListenAddress(settings.text("FOURFOLD_LISTEN") ?? "") else {
            complain("FOURFOLD_LISTEN must be host:port, [ipv6]:port or unix:/path")
            return nil
        }
        self.address = address
        guard let keys = ServiceKeys(settings.text("FOURFOLD_SERVICE_KEYS") ?? "") else {
            complain(
                "FOURFOLD_SERVICE_KEYS must be name:sha256,… with hashes of 64 hexadecimal digits")
            return nil
        }
        self.keys = keys
        if keys.isEmpty && !address.isLocal {
            complain(
                "refusing to serve beyond loopback without service keys: set FOURFOLD_SERVICE_KEYS")
            return nil
        }
    }

    var loopCount: Int {
        settings.optionalInteger("FOURFOLD_LOOPS")
            ?? max(1, min(8, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))))
    }

    var server: HTTPServerConfiguration {
        var configuration = HTTPServerConfiguration()
        configuration.bodyByteCountMax = settings.integer("FOURFOLD_BODY_MAX")
        configuration.headerByteCountMax = settings.integer("FOURFOLD_HEADER_MAX")
        configuration.targetByteCountMax = settings.integer("FOURFOLD_TARGET_MAX")
        configuration.connectionCountMax = settings.integer("FOURFOLD_CONNECTIONS_MAX")
        configuration.headerTimeout = settings.duration("FOURFOLD_HEADER_TIMEOUT")
        configuration.idleTimeout = settings.duration("FOURFOLD_IDLE_TIMEOUT")
        configuration.drainTimeout = settings.duration("FOURFOLD_DRAIN_TIMEOUT")
        return configuration
    }

    func gateway(tokenOrigin: UInt32) -> GatewayConfiguration {
        var configuration = GatewayConfiguration(serviceKeys: keys, tokenOrigin: tokenOrigin)
        configuration.requestTimeout = settings.duration("FOURFOLD_REQUEST_TIMEOUT")
        configuration.rowCountMax = settings.integer("FOURFOLD_ROWS_MAX")
        return configuration
    }
}
