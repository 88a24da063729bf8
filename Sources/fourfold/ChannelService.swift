internal import Live
internal import Redis
internal import Runtime

/// The subscriber of this process, on a loop of its own: messages that nobody here listens to
/// delay no answer.
final class ChannelService: @unchecked Sendable {
    private let loop = EventLoop()
    private let hub: ChannelHub
    private let scripts: ChannelScripts
    private let limits: EventStreamLimits
    private let streams: StreamCount
    private var thread: LoopThread?

    init(plan: ServePlan) {
        limits = plan.events
        scripts = ChannelScripts(plan.channels)
        streams = StreamCount(max: limits.streamCountMax)
        hub = ChannelHub(
            loop: loop, redis: plan.redis, scripts: scripts,
            limits: limits)
    }

    func start() async {
        thread = loop.startThread(name: "channels")
        await run(on: loop) { self.hub.start() }
    }

    /// The listeners of a serving loop. On that loop.
    func registry(loop: EventLoop, index: Int, redis: RedisClient) -> ChannelRegistry {
        ChannelRegistry(
            loop: loop, index: index, hub: hub, redis: redis, scripts: scripts, limits: limits,
            streams: streams)
    }

    /// After the serving loops have drained.
    func stop() async {
        await run(on: loop) { self.hub.stop() }
        loop.stop()
        thread?.join()
    }
}
