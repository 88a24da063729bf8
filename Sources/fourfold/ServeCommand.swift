internal import Gateway
internal import Glibc
internal import HTTPServer
internal import Live
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
        // Every part complains by itself, so that all mistakes are told at once.
        let database = Database(settings)
        let redis = redisAddress(settings)
        let address = listenAddress(settings)
        let keys = serviceKeys(settings, address)
        guard let database, let redis, let address, let keys else { return nil }
        self.database = database
        self.redis = redis
        self.address = address
        self.keys = keys
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
        configuration.bodyTimeout = settings.duration("FOURFOLD_BODY_TIMEOUT")
        configuration.idleTimeout = settings.duration("FOURFOLD_IDLE_TIMEOUT")
        configuration.drainTimeout = settings.duration("FOURFOLD_DRAIN_TIMEOUT")
        return configuration
    }

    var live: LiveLimits {
        var limits = LiveLimits()
        limits.states.valueByteCountMax = settings.integer("FOURFOLD_STATE_MAX")
        limits.states.historyBacklogCountMax = settings.integer("FOURFOLD_HISTORY_BACKLOG_MAX")
        return limits
    }

    func gateway(tokenOrigin: UInt32) -> GatewayConfiguration {
        var configuration = GatewayConfiguration(serviceKeys: keys, tokenOrigin: tokenOrigin)
        configuration.requestTimeout = settings.duration("FOURFOLD_REQUEST_TIMEOUT")
        configuration.rowCountMax = settings.integer("FOURFOLD_ROWS_MAX")
        return configuration
    }
}

private func redisAddress(_ settings: Settings) -> RedisAddress? {
    guard let url = settings.text("REDIS_URL") else {
        complain("REDIS_URL is not set: redis://[user:password@]host[:port][/db] or unix:/path")
        return nil
    }
    do throws(RedisAddressError) {
        return try RedisAddress.parse(url)
    } catch {
        complain("REDIS_URL is not valid: \(error)")
        return nil
    }
}

private func listenAddress(_ settings: Settings) -> HTTPListenAddress? {
    let address = HTTPListenAddress(settings.text("FOURFOLD_LISTEN") ?? "")
    if address == nil { complain("FOURFOLD_LISTEN must be host:port, [ipv6]:port or unix:/path") }
    return address
}

/// - Returns: nil after complaining: also where they are missing and callers could be anybody.
private func serviceKeys(_ settings: Settings, _ address: HTTPListenAddress?) -> ServiceKeys? {
    guard let keys = ServiceKeys(settings.text("FOURFOLD_SERVICE_KEYS") ?? "") else {
        complain(
            "FOURFOLD_SERVICE_KEYS must be name:sha256,… with hashes of 64 hexadecimal digits")
        return nil
    }
    guard keys.isEmpty else { return keys }
    if settings.text("FOURFOLD_AUTH") == "keys" {
        complain("FOURFOLD_AUTH is keys and there are none: set FOURFOLD_SERVICE_KEYS")
        return nil
    }
    if address?.isLocal == false {
        complain(
            "refusing to serve beyond loopback without authentication: set FOURFOLD_SERVICE_KEYS")
        return nil
    }
    return keys
}
