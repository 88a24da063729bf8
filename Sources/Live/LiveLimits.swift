/// Bounds of what lives in Redis.
package struct LiveLimits: Sendable {
    package var states = StateLimits()
    package var channels = ChannelLimits()

    package init() {}
}
