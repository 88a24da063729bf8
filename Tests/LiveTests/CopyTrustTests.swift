import Testing

@testable import Live

@Suite("CopyTrust")
struct CopyTrustTests {
    private static let millisecond: UInt64 = 1_000_000

    @Test("a probe is due at once, then not before its period is over")
    func probes() {
        var trust = CopyTrust()
        let times: [UInt64] = [0, 499, 500, 501, 999, 1_000]
        let due = times.map { trust.beginProbe(now: $0 * Self.millisecond) }
        #expect(due == [true, false, true, false, false, true])
    }

    @Test("copies are believed until something fails, and again a while after the last failure")
    func doubt() {
        var trust = CopyTrust()
        #expect(trust.isBelieved(now: 0))
        trust.failed(now: 1_000 * Self.millisecond)
        #expect(!trust.isBelieved(now: 1_000 * Self.millisecond))
        trust.failed(now: 2_000 * Self.millisecond)
        #expect(!trust.isBelieved(now: 6_999 * Self.millisecond))
        #expect(trust.isBelieved(now: 7_000 * Self.millisecond))
    }

    @Test("probes go on while copies are not believed")
    func recovery() {
        var trust = CopyTrust()
        trust.failed(now: 0)
        let due = [10, 510].map { trust.beginProbe(now: $0 * Self.millisecond) }
        #expect(due == [true, true])
    }
}
