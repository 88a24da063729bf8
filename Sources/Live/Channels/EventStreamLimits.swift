/// Bounds of the streams of events of one process.
package struct EventStreamLimits: Sendable {
    /// Channels of one stream.
    package var channelCountMax = 100
    /// Streams of the process.
    package var streamCountMax = 50_000
    /// Time between two signs of life of a stream.
    package var heartbeat = Duration.seconds(15)
    /// What a client waits before it connects again, told it at the start.
    package var retry = Duration.seconds(2)
    /// How long a channel stays subscribed when nobody listens any more: who drops and resumes
    /// finds it again.
    package var linger = Duration.seconds(5)
    /// Streams that cannot begin yet wait this long for Redis.
    package var openTimeout = Duration.seconds(3)
    /// Redis away for longer is told to the listeners.
    package var degradedAfter = Duration.seconds(1)
    /// Unsent bytes of a stream; a reader that falls further behind is dropped.
    package var queueByteCountMax = 256 << 10
    /// Messages held for a stream that is still reading the history; over it, it reads again.
    package var heldCountMax = 256
    /// Bytes of those messages.
    package var heldByteCountMax: Int { queueByteCountMax / 2 }
    /// Messages that one page of the history holds at most.
    package var pageCountMax = 256
    /// Bytes of the messages of one page, after which it ends.
    package var pageByteCountMax = 1 << 20
    /// Streams of one loop that read the history at once; more wait.
    package var readerCountMax = 32

    package init() {}
}
