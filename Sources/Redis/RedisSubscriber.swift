package import Runtime

/// What a subscriber tells, on the loop.
package protocol RedisSubscriberDelegate: AnyObject {
    /// The subscription is in force now: messages published from here on are received.
    func subscriberConfirmed(_ channel: String)
    /// A message, in the order of the wire.
    func subscriberReceived(_ channel: String, _ payload: [UInt8])
    /// The server does not allow the channel, which is no longer wanted.
    func subscriberRefused(_ channel: String)
    /// The connection broke. Everything wanted is subscribed again by itself, and confirmed again.
    func subscriberLost()
}

extension RedisSubscriberDelegate {
    package func subscriberRefused(_ channel: String) {}
}

/// A connection that only subscribes, kept open and opened again (RESP2).
///
/// Belongs to its loop. What is wanted survives the connection. A peer that has gone silent is
/// noticed by PING within the ping interval and the stall timeout.
package final class RedisSubscriber: Flushable, @unchecked Sendable {
    private let loop: EventLoop
    private let configuration: RedisConfiguration
    private weak var delegate: (any RedisSubscriberDelegate)?
    private var session: RedisSession?
    private var subscriptions: SubscriptionSet
    private var isDirty = false
    private var isClosed = false
    private var pingTimer: LoopTimer?
    /// By the clock of the loop.
    private var receivedAtMilliseconds: UInt64 = 0

    /// Connects with the first subscription.
    package init(
        loop: EventLoop, configuration: RedisConfiguration, delegate: any RedisSubscriberDelegate
    ) {
        self.loop = loop
        self.configuration = configuration
        self.delegate = delegate
        subscriptions = SubscriptionSet(configuration.subscriptions)
        session = RedisSession(loop: loop, configuration: configuration, owner: self)
    }

    /// Wants channels; one that is wanted already is not confirmed again. On the loop.
    ///
    /// - Returns: False if that would be more than the limit: none was taken.
    @discardableResult
    package func subscribe(_ channels: [String]) -> Bool {
        loop.preconditionOnLoop()
        guard !isClosed, subscriptions.subscribe(channels) else { return false }
        session?.want()
        flushSoon()
        return true
    }

    /// No longer wants channels; none of their messages is received from now on. On the loop.
    package func unsubscribe(_ channels: [String]) {
        loop.preconditionOnLoop()
        subscriptions.unsubscribe(channels)
        flushSoon()
    }

    /// Whether a connection is open and logged in.
    package var isConnected: Bool { session?.state == .ready }

    /// Why the last attempt to connect failed; nil while connected.
    package var lastConnectFailure: RedisConnectFailure? { session?.lastFailure }

    /// Channels wanted.
    package var wantedCount: Int { subscriptions.wantedCount }

    /// Ends the connection for good; nothing is told any more. On the loop.
    package func close() {
        loop.preconditionOnLoop()
        isClosed = true
        pingTimer?.cancel()
        session?.close()
    }

    package func flush() {
        isDirty = false
        guard let session, session.state == .ready else { return }
        var confirmed: [String] = []
        while let command = subscriptions.nextCommand(confirmed: &confirmed) {
            guard session.send(command.encoded) else { break }
        }
        for channel in confirmed { delegate?.subscriberConfirmed(channel) }
    }

    private func flushSoon() {
        guard isConnected, !isDirty else { return }
        isDirty = true
        loop.flushSoon(self)
    }

    // MARK: Stalls

    private func schedulePing() {
        pingTimer?.cancel()
        pingTimer = loop.schedule(after: configuration.subscriptions.pingInterval) {
            [weak self] in self?.ping()
        }
    }

    private func ping() {
        guard let session, session.send(["PING"]) else { return }
        let sentAt = loop.nowMilliseconds
        pingTimer = loop.schedule(after: configuration.stallTimeout) { [weak self] in
            guard let self else { return }
            if receivedAtMilliseconds < sentAt {
                session.disconnect()
            } else {
                schedulePing()
            }
        }
    }
}

extension RedisSubscriber: RedisSessionOwner {
    func sessionOpened() {
        receivedAtMilliseconds = loop.nowMilliseconds
        subscriptions.connected()
        schedulePing()
        flushSoon()
    }

    func sessionReceived(_ reply: RedisReply) -> Bool {
        receivedAtMilliseconds = loop.nowMilliseconds
        switch RedisPush(reply) {
        case .message(let channel, let payload):
            if subscriptions.delivers(channel) { delegate?.subscriberReceived(channel, payload) }
            return true
        case .confirmation(let kind, let channel):
            return perform(subscriptions.confirm(kind, channel))
        case .refusal: return perform(subscriptions.refuse())
        case .pong: return true
        case nil: return false
        }
    }

    /// - Returns: False after a violation.
    private func perform(_ outcome: SubscriptionSet.Outcome) -> Bool {
        flushSoon()
        switch outcome {
        case .none: break
        case .confirmed(let channel): delegate?.subscriberConfirmed(channel)
        case .refused(let channel): delegate?.subscriberRefused(channel)
        case .violation: return false
        }
        return true
    }

    func sessionLost() {
        pingTimer?.cancel()
        subscriptions.disconnected()
        delegate?.subscriberLost()
    }

    func sessionFailed(_ error: RedisError) {}
}

extension SubscriptionSet.Command {
    var encoded: RedisCommand {
        var command: RedisCommand = kind == .subscribe ? ["SUBSCRIBE"] : ["UNSUBSCRIBE"]
        for channel in channels { command.append(channel) }
        return command
    }
}
