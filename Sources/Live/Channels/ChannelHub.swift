package import Redis
package import Runtime

/// What the hub tells a loop, in order.
enum HubMessage: Sendable {
    case event(ChannelEvent)
    /// The requests of this number, and those before, were taken.
    case took(UInt64)
    /// All messages of the channel from here on are told.
    case inForce(String)
    /// Redis does not allow the channel.
    case refused(String)
    /// Everything up to this id, on all channels in force, was told before.
    case position(UInt64)
    /// Redis answers; channels come into force after this.
    case available
    /// No channel is in force any more.
    case lost
}

/// What a loop asks of the hub, in order.
enum HubRequest: Sendable {
    case want(String)
    case unwant(String)
}

/// The one subscriber of a process: each channel is subscribed once, however many listen, and its
/// messages are handed to the loops that have listeners, in batches.
///
/// On a loop of its own.
package final class ChannelHub: Flushable, @unchecked Sendable {
    package let loop: EventLoop
    private let scripts: ChannelScripts
    private let limits: EventStreamLimits
    private let configuration: RedisConfiguration
    private let client: RedisClient
    private var subscriber: RedisSubscriber?
    private var timers: [LoopTimer] = []

    private var registries: [Int: ChannelRegistry] = [:]
    private var interest = ChannelInterest()
    private var pairing = MessagePairing()
    /// Everything up to this id has been received.
    private var position: UInt64 = 0
    private var isAvailable = false
    /// In force, and not told before Redis was checked.
    private var early: [String] = []
    /// Counts the connections, so that an answer of an earlier one is known.
    private var generation = 0
    private var outbox: [Int: [HubMessage]] = [:]
    private var isDirty = false
    private var oversizedCount = 0

    /// - Parameter loop: Runs only this, on a thread of its own.
    package init(
        loop: EventLoop, redis: RedisConfiguration, scripts: ChannelScripts,
        limits: EventStreamLimits
    ) {
        self.loop = loop
        self.scripts = scripts
        self.limits = limits
        configuration = redis
        client = RedisClient(loop: loop, configuration: redis)
    }

    /// Connects. On the loop.
    package func start() {
        loop.preconditionOnLoop()
        let subscriber = RedisSubscriber(loop: loop, configuration: configuration, delegate: self)
        self.subscriber = subscriber
        subscriber.subscribe([ChannelScript.positionChannel])
        timers = [
            loop.schedule(every: limits.heartbeat) { [weak self] in self?.mark() },
            loop.schedule(every: .seconds(1)) { [weak self] in self?.sweep() },
        ]
    }

    /// Disconnects for good. On the loop.
    package func stop() {
        loop.preconditionOnLoop()
        for timer in timers { timer.cancel() }
        subscriber?.close()
        client.close()
    }

    // MARK: Loops

    /// Makes the registry of a loop known. Any thread, before its first request.
    func attach(_ registry: ChannelRegistry) {
        loop.submit { [self] in
            registries[registry.index] = registry
            if isAvailable { tell(registry.index, .available) }
        }
    }

    /// Takes the requests of a loop. Any thread.
    func submit(_ requests: [HubRequest], number: UInt64, from index: Int) {
        loop.submit { [self] in
            tell(index, .took(number))
            take(requests, from: index)
        }
    }

    private func take(_ requests: [HubRequest], from index: Int) {
        var channels: [String] = []
        for request in requests {
            switch request {
            case .want(let channel):
                switch interest.want(channel, loop: index) {
                case .subscribe:
                    // The ids first: a message without its id would be taken for a foreign one.
                    channels.append(ChannelScript.sentPrefix + channel)
                    channels.append(channel)
                case .inForce where isAvailable: tell(index, .inForce(channel))
                case .inForce, .wait: break
                }
            case .unwant(let channel):
                interest.unwant(
                    channel, loop: index, now: loop.nowMilliseconds,
                    linger: limits.linger.wholeMilliseconds)
            }
        }
        guard !channels.isEmpty, subscriber?.subscribe(channels) == false else { return }
        for channel in channels { subscriberRefused(channel) }
    }

    private func tell(_ index: Int, _ message: HubMessage) {
        outbox[index, default: []].append(message)
        if !isDirty { loop.flushSoon(self) }
        isDirty = true
    }

    private func tell(loops: UInt64, _ message: HubMessage) {
        var rest = loops
        while rest != 0 {
            tell(rest.trailingZeroBitCount, message)
            rest &= rest - 1
        }
    }

    private func tellAll(_ message: HubMessage) {
        for index in registries.keys { tell(index, message) }
    }

    package func flush() {
        isDirty = false
        for (index, messages) in outbox where !messages.isEmpty {
            outbox[index] = []
            guard let registry = registries[index] else { continue }
            registry.loop.submit { registry.deliver(messages) }
        }
    }

    // MARK: Time

    private func sweep() {
        let channels = interest.expired(now: loop.nowMilliseconds)
        if !channels.isEmpty {
            subscriber?.unsubscribe(channels.map { ChannelScript.sentPrefix + $0 } + channels)
        }
        if oversizedCount > 0 {
            Log.warning(
                "what other clients published was too large to deliver",
                ("count", String(oversizedCount)))
            oversizedCount = 0
        }
    }

    /// Asks for a fresh id by way of the subscription: who gets it has got everything before.
    private func mark() {
        guard isAvailable, interest.count > 0 else { return }
        client.run(scripts.mark, keys: [], deadline: .after(configuration.stallTimeout)) { _ in }
    }

    // MARK: Availability

    /// Before anything is in force: what Redis has forgotten must be known to every reader.
    private func check() {
        let generation = generation
        client.run(
            scripts.check, keys: [], arguments: [.text(String(position))],
            deadline: .after(configuration.stallTimeout)
        ) { [weak self] outcome in
            guard let self, generation == self.generation else { return }
            switch outcome {
            case .success: becameAvailable()
            case .failure(let error):
                Log.warning("Redis cannot be listened to yet", ("error", error.code))
                let timer = loop.schedule(after: ChannelHub.checkPause) { [weak self] in
                    if generation == self?.generation { self?.check() }
                }
                timers = timers.prefix(2) + [timer]
            }
        }
    }

    private static let checkPause = Duration.milliseconds(200)

    private func becameAvailable() {
        isAvailable = true
        tellAll(.available)
        let channels = early
        early = []
        for channel in channels { tell(loops: interest.loops(of: channel), .inForce(channel)) }
        mark()
    }
}

extension ChannelHub: RedisSubscriberDelegate {
    package func subscriberConfirmed(_ channel: String) {
        if channel == ChannelScript.positionChannel { return check() }
        let isSent = channel.utf8.starts(with: ChannelScript.sentPrefix.utf8)
        let name =
            isSent ? String(channel.dropFirst(ChannelScript.sentPrefix.count)) : channel
        guard interest.confirm(name, isSent: isSent) else { return }
        if isAvailable {
            tell(loops: interest.loops(of: name), .inForce(name))
        } else {
            early.append(name)
        }
    }

    package func subscriberReceived(_ channel: String, _ payload: [UInt8]) {
        switch pairing.take(channel, payload) {
        case .nothing: break
        case .position(let id):
            position = max(position, id)
            tellAll(.position(position))
        case .message(let channel, let id):
            let loops = interest.loops(of: channel)
            if loops == 0 { return }
            if id == 0 && payload.count > scripts.limits.messageByteCountMax {
                oversizedCount += 1
                return
            }
            position = max(position, id)
            tell(loops: loops, .event(ChannelEvent(channel: channel, id: id, message: payload)))
        }
    }

    package func subscriberRefused(_ channel: String) {
        let isSent = channel.utf8.starts(with: ChannelScript.sentPrefix.utf8)
        let name =
            isSent ? String(channel.dropFirst(ChannelScript.sentPrefix.count)) : channel
        tell(loops: interest.refuse(name), .refused(name))
        subscriber?.unsubscribe([ChannelScript.sentPrefix + name, name])
    }

    package func subscriberLost() {
        generation += 1
        pairing.lost()
        interest.lost()
        early = []
        if isAvailable { tellAll(.lost) }
        isAvailable = false
    }
}
