internal import Gateway
internal import HTTPServer
internal import Live
internal import Settings

/// What the settings say about channels, events and pages of other origins.
extension ServePlan {
    var channels: ChannelLimits {
        var limits = ChannelLimits()
        limits.historyCountMax = settings.integer("FOURFOLD_CHANNEL_HISTORY")
        limits.historyMilliseconds = Int(
            settings.duration("FOURFOLD_CHANNEL_RETENTION").inSeconds * 1_000)
        limits.messageByteCountMax = settings.integer("FOURFOLD_MESSAGE_MAX")
        return limits
    }

    var events: EventStreamLimits {
        var limits = EventStreamLimits()
        limits.channelCountMax = settings.integer("FOURFOLD_EVENTS_CHANNELS_MAX")
        limits.streamCountMax = settings.integer("FOURFOLD_EVENTS_MAX")
        limits.heartbeat = settings.duration("FOURFOLD_EVENTS_HEARTBEAT")
        limits.retry = settings.duration("FOURFOLD_EVENTS_RETRY")
        limits.queueByteCountMax = settings.integer("FOURFOLD_EVENTS_QUEUE_MAX")
        return limits
    }
}

/// - Returns: Nil within the optional where pages of other origins may not call; nil after
///   complaining.
func corsPolicy(_ settings: Settings) -> CORSPolicy?? {
    guard let text = settings.text("FOURFOLD_CORS_ORIGINS") else { return .some(nil) }
    if let policy = CORSPolicy(text) { return policy }
    complain("FOURFOLD_CORS_ORIGINS must be * or origins such as https://app.example.org,…")
    return nil
}
