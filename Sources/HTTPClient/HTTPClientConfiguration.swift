/// Limits and times of one ``HTTPClient``.
package struct HTTPClientConfiguration: Sendable {
    /// Connections to one host and port at the same time; further requests wait.
    package var connectionsPerHostMax = 8
    /// Idle keep-alive connections kept open.
    package var connectionsIdleMax = 16
    /// An idle connection older than this is not used again, in whole seconds.
    package var connectionIdleMax: Duration = .seconds(30)
    /// Time for name resolution, connect and TLS handshake together.
    package var connectTimeout: Duration = .seconds(3)
    /// Requests handed to libcurl at the same time.
    package var inFlightMax = 64
    /// Requests waiting for their turn; one more is refused as overloaded.
    package var queueMax = 1_024
    /// Bytes of one answer's body, unless the request sets its own bound.
    package var responseByteCountMax = 64 << 20
    /// Bytes of one answer's header block.
    package var responseHeaderByteCountMax = 64 << 10

    package init() {}
}
