import Testing

@testable import Live

@Suite("ChannelInterest")
struct ChannelInterestTests {
    @Test("a channel is in force when both subscriptions are confirmed")
    func inForce() {
        var interest = ChannelInterest()
        let first = interest.want("a", loop: 0)
        let second = interest.want("a", loop: 3)
        #expect(first == .subscribe && second == .wait)
        let half = interest.confirm("a", isSent: true)
        #expect(!half && interest.loops(of: "a") == 0)
        let whole = interest.confirm("a", isSent: false)
        #expect(whole && interest.loops(of: "a") == 0b1001)
        let again = interest.confirm("a", isSent: false)
        #expect(!again)
        let third = interest.want("a", loop: 1)
        #expect(third == .inForce && interest.loops(of: "a") == 0b1011)
    }

    @Test("nobody's channel lingers, and is found again")
    func linger() {
        var interest = ChannelInterest()
        _ = interest.want("a", loop: 0)
        _ = interest.confirm("a", isSent: true)
        _ = interest.confirm("a", isSent: false)
        interest.unwant("a", loop: 0, now: 100, linger: 50)
        #expect(interest.loops(of: "a") == 0)
        let early = interest.expired(now: 149)
        #expect(early.isEmpty)
        let back = interest.want("a", loop: 0)
        #expect(back == .inForce)
        let kept = interest.expired(now: 150)
        #expect(kept.isEmpty && interest.count == 1)
        interest.unwant("a", loop: 0, now: 200, linger: 50)
        let gone = interest.expired(now: 250)
        #expect(gone == ["a"] && interest.count == 0)
        let anew = interest.want("a", loop: 0)
        #expect(anew == .subscribe)
    }

    @Test("one loop goes, the other stays")
    func loops() {
        var interest = ChannelInterest()
        _ = interest.want("a", loop: 0)
        _ = interest.want("a", loop: 1)
        interest.unwant("a", loop: 0, now: 0, linger: 10)
        let gone = interest.expired(now: 100)
        #expect(gone.isEmpty)
    }

    @Test("a lost connection voids every confirmation")
    func lost() {
        var interest = ChannelInterest()
        _ = interest.want("a", loop: 0)
        _ = interest.confirm("a", isSent: true)
        _ = interest.confirm("a", isSent: false)
        interest.lost()
        #expect(interest.loops(of: "a") == 0)
        _ = interest.confirm("a", isSent: false)
        let whole = interest.confirm("a", isSent: true)
        #expect(whole && interest.loops(of: "a") == 1)
    }

    @Test("a refused channel is forgotten")
    func refused() {
        var interest = ChannelInterest()
        _ = interest.want("a", loop: 2)
        let loops = interest.refuse("a")
        #expect(loops == 0b100 && interest.count == 0)
        let again = interest.refuse("a")
        #expect(again == 0)
    }
}
