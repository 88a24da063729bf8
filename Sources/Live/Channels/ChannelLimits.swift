/// Bounds of the histories that listeners resume from.
package struct ChannelLimits: Sendable {
    /// Messages kept for each channel.
    package var historyCountMax = 1_000
    /// How long the history of a channel stays after its last message.
    package var historyMilliseconds = 3_600_000
    /// Bytes of one message.
    package var messageByteCountMax = 64 << 10

    package init() {}
}
