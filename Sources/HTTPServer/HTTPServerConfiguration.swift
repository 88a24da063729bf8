/// Every bound of one ``HTTPServer``. Byte and count limits are inclusive.
package struct HTTPServerConfiguration: Sendable {
    /// Header section of one request, names, values and 4 bytes a line; over it: 431.
    package var headerByteCountMax = 16 * 1024
    /// Header lines of one request; over it: 431.
    package var headerFieldCountMax = 100
    /// Request target; over it: 414.
    package var targetByteCountMax = 8 * 1024
    /// Body of one request after removal of its chunking; over it: 413.
    package var bodyByteCountMax = 1024 * 1024
    /// Bodies that are being received or handled, of all connections together; over it: 503.
    package var bodyByteCountTotalMax = 256 * 1024 * 1024
    /// Bytes a client may send ahead of its answers before the server stops reading.
    package var pipelinedByteCountMax = 64 * 1024
    /// Connections of this server; over it: 503 and close.
    package var connectionCountMax = 20_000
    /// Unsent bytes of one stream; a reader that falls further behind is dropped.
    package var writeQueueByteCountMax = 256 * 1024
    /// Connections the kernel holds ready before they are accepted.
    package var listenBacklogCount = 4096

    /// From the first byte of a request to the end of its header; over it: 408.
    package var headerTimeout = Duration.seconds(10)
    /// From the end of the header to the end of the body; over it: 408.
    package var bodyTimeout = Duration.seconds(30)
    /// A connection without any request under way.
    package var idleTimeout = Duration.seconds(75)
    /// A client that takes none of the bytes waiting for it.
    package var writeTimeout = Duration.seconds(30)
    /// How long the server waits for the client's end of file after its own.
    package var lingerTimeout = Duration.seconds(2)
    /// From a client's end of file to the cancellation of its running request: a client that only
    /// closed its sending side gets a quick answer as ever, one that left does not keep a slow
    /// statement running.
    package var halfCloseGrace = Duration.seconds(1)
    /// Time for running requests to end in ``HTTPServer/drain()``.
    package var drainTimeout = Duration.seconds(20)
    /// How often the timeouts of all connections are checked; also their resolution.
    package var sweepInterval = Duration.seconds(1)

    package init() {}

    var requestLimits: HTTPRequestLimits {
        HTTPRequestLimits(
            headerByteCountMax: headerByteCountMax, headerFieldCountMax: headerFieldCountMax,
            targetByteCountMax: targetByteCountMax, bodyByteCountMax: bodyByteCountMax)
    }
}

/// What the parser enforces by itself; see ``HTTPServerConfiguration`` for the meaning.
package struct HTTPRequestLimits: Sendable {
    package var headerByteCountMax = 16 * 1024
    package var headerFieldCountMax = 100
    package var targetByteCountMax = 8 * 1024
    package var bodyByteCountMax = 1024 * 1024

    package init() {}

    init(
        headerByteCountMax: Int, headerFieldCountMax: Int, targetByteCountMax: Int,
        bodyByteCountMax: Int
    ) {
        self.headerByteCountMax = headerByteCountMax
        self.headerFieldCountMax = headerFieldCountMax
        self.targetByteCountMax = targetByteCountMax
        self.bodyByteCountMax = bodyByteCountMax
    }
}
