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

    package init(serviceKeys: ServiceKeys, tokenOrigin: UInt32) {
        self.serviceKeys = serviceKeys
        self.tokenOrigin = tokenOrigin
    }
}
