internal import Runtime

/// Whether copies of rows that stand in Redis are believed.
///
/// Not while Redis is away or refuses writes, because then nobody can renew or forget them, and not
/// at once afterwards, because what changed meanwhile has yet to be told there. A pure state
/// machine; `now` are monotonic nanoseconds.
struct CopyTrust: Sendable {
    /// From one probe to the next: a Redis that refuses writes is believed no longer than this.
    var probePeriod = Duration.milliseconds(500)
    /// From the last failure on: more than the live lane takes to be there, which is a second and
    /// a half of waiting, and connecting, and its lease (3 s was too short, once).
    var recoveryPeriod = Duration.seconds(5)

    private var probedAt: UInt64?
    private var doubtedUntil: UInt64 = 0

    /// - Returns: Whether a probe is to be sent now.
    mutating func beginProbe(now: UInt64) -> Bool {
        if let probedAt, now &- probedAt < probePeriod.wholeNanoseconds { return false }
        probedAt = now
        return true
    }

    mutating func failed(now: UInt64) { doubtedUntil = now &+ recoveryPeriod.wholeNanoseconds }

    func isBelieved(now: UInt64) -> Bool { now >= doubtedUntil }
}
