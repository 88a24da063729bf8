import Testing

@testable import Live

@Suite("CopyTrust")
struct CopyTrustTests {
    private static let millisecond: UInt64 = 1_000_000

    @Test("a probe is due at once, then not before its period is over")
    func probes() {
        var trust = CopyTrust()
        #expect(trust.beginProbe(now: 0))
        #expect(!trust.beginProbe(now: 499 * Self.millisecond))
        #expect(trust.beginProbe(now: 500 * Self.millisecond))
        #expect(!trust.beginProbe(now: 501 * Self.millisecond))
    }

    @Test("copies are believed until something fails, and again a while after the last failure")
    func doubt() {
        var trust = CopyTrust()
        #expect(trust.isBelieved(now: 0))
        trust.failed(now: 1_000 * Self.millisecond)
        #expect(!trust.isBelieved(now: 1_000 * Self.millisecond))
        trust.failed(now: 2_000 * Self.millisecond)
        #expect(!trust.isBelieved(now: 4_999 * Self.millisecond))
        #expect(trust.isBelieved(now: 5_000 * Self.millisecond))
    }

    @Test("probes go on while copies are not believed")
    func recovery() {
        var trust = CopyTrust()
        trust.failed(now: 0)
        #expect(trust.beginProbe(now: 10))
        #expect(trust.beginProbe(now: 10 + 500 * Self.millisecond))
    }
}
