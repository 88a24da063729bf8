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
    let redis: RedisConfiguration
    let address: HTTPListenAddress
    let keys: ServiceKeys
    /// Nil where requests are not limited.
    let rateLimits: RateLimits?
    let trustedProxies: TrustedProxies
    /// Nil where pages of other origins may not call.
    let cors: CORSPolicy?

    /// - Returns: nil after complaining.
    init?(_ settings: Settings) {
        self.settings = settings
        // Every part complains by itself, so that all mistakes are told at once.
        let database = Database(settings)
        let redis = redisConfiguration(settings)
        let address = listenAddress(settings)
        let keys = serviceKeys(settings, address)
        let clientLimit = rateLimit(
            settings, "FOURFOLD_RATE_LIMIT", absent: address?.isLocal == false ? "6000/60s" : "off")
        let ownerLimit = rateLimit(settings, "FOURFOLD_RATE_LIMIT_OWNER", absent: "off")
        let proxies = proxiesToTrust(settings)
        let cors = corsPolicy(settings)
        guard let database, let redis, let address, let keys, let clientLimit, let ownerLimit,
            let proxies, let cors
        else { return nil }
        self.database = database
        self.redis = redis
        self.address = address
        self.keys = keys
        rateLimits = RateLimits(client: clientLimit.limit, owner: ownerLimit.limit)
        trustedProxies = proxies
        self.cors = cors
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
        // A reader that is dropped is told so behind what waits for it.
        configuration.writeQueueByteCountMax = events.queueByteCountMax + 4_096
        return configuration
    }

    var live: LiveLimits {
        var limits = LiveLimits()
        limits.channels = channels
        limits.states.valueByteCountMax = settings.integer("FOURFOLD_STATE_MAX")
        limits.states.historyBacklogCountMax = settings.integer("FOURFOLD_HISTORY_BACKLOG_MAX")
        return limits
    }

    func gateway(tokenOrigin: UInt32) -> GatewayConfiguration {
        var configuration = GatewayConfiguration(serviceKeys: keys, tokenOrigin: tokenOrigin)
        configuration.requestTimeout = settings.duration("FOURFOLD_REQUEST_TIMEOUT")
        configuration.rowCountMax = settings.integer("FOURFOLD_ROWS_MAX")
        configuration.rateLimits = rateLimits
        configuration.trustedProxies = trustedProxies
        if case .unix = address { configuration.listensOnUnixSocket = true }
        return configuration
    }
}

private func redisConfiguration(_ settings: Settings) -> RedisConfiguration? {
    guard let url = settings.text("REDIS_URL") else {
        complain(
            "REDIS_URL is not set: redis[s]://[user:password@]host[:port][/db] or unix:/path")
        return nil
    }
    let address: RedisAddress
    do throws(RedisAddressError) {
        address = try RedisAddress.parse(url)
    } catch {
        complain("REDIS_URL is not valid: \(error)")
        return nil
    }
    let files = RedisTLSFiles(
        authorities: settings.text("REDIS_TLS_CA"), certificate: settings.text("REDIS_TLS_CERT"),
        key: settings.text("REDIS_TLS_KEY"))
    guard address.usesTLS else {
        if files == RedisTLSFiles() { return RedisConfiguration(address: address) }
        // Who sets them believes that the connection is protected.
        complain("REDIS_TLS_… is set, but REDIS_URL is not rediss://")
        return nil
    }
    do throws(RedisTLSError) {
        return RedisConfiguration(address: address, tls: try RedisTLS(files))
    } catch {
        complain("REDIS_TLS_CA, REDIS_TLS_CERT or REDIS_TLS_KEY cannot be used: \(error)")
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

/// A limit, or none.
private struct RateLimitChoice {
    let limit: RateLimit?
}

/// - Returns: nil after complaining.
private func rateLimit(
    _ settings: Settings, _ name: String, absent: String
) -> RateLimitChoice? {
    let text = settings.text(name) ?? absent
    if text == "off" { return RateLimitChoice(limit: nil) }
    if let limit = RateLimit(text) { return RateLimitChoice(limit: limit) }
    complain(
        "\(name) must be off or requests per time, such as 600/60s: at most "
            + "\(RateLimit.requestCountMax) in at most \(RateLimit.periodSecondsMax) s, and "
            + "\(RateLimit.requestsPerSecondMax) a second")
    return nil
}

/// - Returns: nil after complaining.
private func proxiesToTrust(_ settings: Settings) -> TrustedProxies? {
    let proxies = TrustedProxies(settings.text("FOURFOLD_TRUSTED_PROXIES") ?? "")
    if proxies == nil {
        complain(
            "FOURFOLD_TRUSTED_PROXIES must be networks such as 10.0.0.0/8, addresses or unix, "
                + "separated by commas, \(TrustedProxies.countMax) at most")
    }
    return proxies
}
