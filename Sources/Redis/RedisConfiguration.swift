/// Limits and times of one ``RedisClient`` or ``RedisSubscriber``.
package struct RedisConfiguration: Sendable {
    package var address: RedisAddress
    /// For an address that asks for TLS; nil trusts the system's authorities.
    package var tls: RedisTLS?
    /// Time for name resolution, connect, handshake and login together.
    package var connectTimeout: Duration = .seconds(3)
    /// Commands sent and not answered yet; more wait.
    package var inFlightMax = 4_096
    /// Commands waiting to be sent; one more is refused as overloaded.
    package var queueMax = 4_096
    /// Bytes of one encoded command.
    package var commandByteCountMax = 16 << 20
    /// Bytes of commands waiting to be sent; more are refused as overloaded.
    package var queueByteCountMax = 64 << 20
    /// A connection that owes an answer this long is closed.
    package var stallTimeout: Duration = .seconds(5)
    package var backoff = RedisBackoff()
    package var replies = RedisReplyLimits()
    package var subscriptions = RedisSubscriptionLimits()

    package init(address: RedisAddress, tls: RedisTLS? = nil) {
        self.address = address
        self.tls = tls
    }
}

/// What a server may send as one reply; a connection that gets more is closed.
package struct RedisReplyLimits: Sendable {
    /// Bytes in memory of one reply, whole or not yet whole.
    package var byteCountMax = 64 << 20
    /// Arrays within arrays.
    package var depthMax = 16

    package init() {}
}

/// Limits and times of one ``RedisSubscriber``.
package struct RedisSubscriptionLimits: Sendable {
    /// Channels wanted at once.
    package var channelCountMax = 1_000_000
    /// Channels of one SUBSCRIBE or UNSUBSCRIBE.
    package var batchCountMax = 500
    /// Such commands under way; more wait.
    package var unconfirmedBatchCountMax = 8
    /// Time between two PINGs; each must be answered within the stall timeout.
    package var pingInterval: Duration = .seconds(10)

    package init() {}
}

/// Waiting times between attempts to connect.
package struct RedisBackoff: Sendable {
    /// After the first failure; doubles with each further one.
    package var first: Duration = .milliseconds(50)
    package var longest: Duration = .seconds(5)
    /// Share of the time that is random, 0...1.
    package var jitter = 0.3

    package init() {}

    /// The wait after `failureCount` failures in a row, at least 1. `random` is in 0..<1.
    func delay(failureCount: Int, random: Double) -> Duration {
        let exponent = min(max(failureCount, 1) - 1, 20)
        let full = min(longest, first * (1 << exponent))
        return full * (1 - jitter * random)
    }
}
