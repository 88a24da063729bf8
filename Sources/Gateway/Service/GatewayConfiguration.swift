package import Live

/// Everything of the settings that answering a request needs.
package struct GatewayConfiguration: Sendable {
    /// Deadline of a request; `Request-Timeout` can only shorten it.
    package var requestTimeout = Duration.seconds(5)
    /// Rows of one array, batch or page.
    package var rowCountMax = 1_000
    /// Greatest nesting of a JSON body.
    package var bodyDepthMax = 64
    /// Keys of services; empty where every caller is trusted.
    package var serviceKeys: ServiceKeys
    /// Which life of the database tokens come from; see ``ConsistencyToken``.
    package var tokenOrigin: UInt32
    /// Nil where requests are not limited.
    package var rateLimits: RateLimits?
    /// Whose word about the client's address is taken.
    package var trustedProxies = TrustedProxies()
    /// Clients come over a Unix socket, so that they have no address of their own.
    package var listensOnUnixSocket = false

    package init(serviceKeys: ServiceKeys, tokenOrigin: UInt32) {
        self.serviceKeys = serviceKeys
        self.tokenOrigin = tokenOrigin
    }
}

/// How many requests are allowed.
package struct RateLimits: Sendable {
    /// For each client address.
    package var client: RateLimit?
    /// For each owner, whoever asks on their behalf.
    package var owner: RateLimit?
    /// Tells that requests are not counted; of the whole process.
    package let notice = RareNotice()

    /// - Returns: nil where neither is limited.
    package init?(client: RateLimit?, owner: RateLimit?) {
        if client == nil && owner == nil { return nil }
        self.client = client
        self.owner = owner
    }
}
