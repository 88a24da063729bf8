package import Live

/// Bounds of what the live lane does at once.
package struct LiveLaneLimits: Sendable {
    /// Messages of one run of the script: Redis does nothing else meanwhile.
    package var runMessageCountMax = 500
    /// Bytes of the messages of one run.
    package var runByteCountMax = 1 << 20
    /// Keys deleted by one run.
    package var runKeyCountMax = 1_000
    /// Keys looked at by one SCAN.
    package var scanKeyCount = 1_000
    package var channels: ChannelLimits

    package init(channels: ChannelLimits = .init()) { self.channels = channels }
}

extension LaneConfiguration {
    /// For the live lane: pages small enough for one run of a script, and a store that comes back
    /// quickly.
    var forLiveLane: LaneConfiguration {
        var live = self
        live.pageRowCountMax = min(pageRowCountMax, 500)
        live.dirtyKeyCountMax = min(dirtyKeyCountMax, 10_000)
        live.backoff.ceiling = min(backoff.ceiling, .seconds(1))
        return live
    }
}
