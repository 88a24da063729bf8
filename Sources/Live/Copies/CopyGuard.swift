package import Redis
internal import Runtime

/// Finds out whether copies in Redis can be believed, by a small write every now and then while
/// they are read. Belongs to its loop.
package final class CopyGuard: @unchecked Sendable {
    /// The longest that a read of a copy waits for Redis where PostgreSQL can answer instead.
    package static let patience = Duration.seconds(1)

    private static let probeKey = "fourfold:probe"
    private static let probeMilliseconds = 1_000

    private let redis: RedisClient
    private var trust = CopyTrust()

    package init(redis: RedisClient) { self.redis = redis }

    /// Asked before a copy is read, and once more when it has come: a probe is sent before the
    /// read, on the same connection, so its answer is there first.
    package func mayRead() -> Bool {
        let now = monotonicNanoseconds()
        if trust.beginProbe(now: now) {
            let probe = RedisCommand([
                "SET", CopyGuard.probeKey, "1", "PX", String(CopyGuard.probeMilliseconds),
            ])
            redis.command(probe, deadline: .after(CopyGuard.patience)) { [weak self] reply in
                if case .failure = reply { self?.failed() }
            }
        }
        return isBelieved
    }

    package var isBelieved: Bool { trust.isBelieved(now: monotonicNanoseconds()) }

    /// Redis did not answer, or refused a write.
    package func failed() { trust.failed(now: monotonicNanoseconds()) }
}
