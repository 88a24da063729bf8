import Testing

@testable import Live

@Suite("MessagePairing")
struct MessagePairingTests {
    private static let sent = ChannelScript.sentPrefix

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// Channel and payload of each push.
        let pushes: [(String, String)]
        let expected: [MessagePairing.Outcome]
    }

    static let cases: [Case] = [
        Case(
            testDescription: "an id and its message", pushes: [(sent + "a", "12"), ("a", "x")],
            expected: [.nothing, .message(channel: "a", id: 12)]),
        Case(
            testDescription: "a message alone is foreign", pushes: [("a", "x")],
            expected: [.message(channel: "a", id: 0)]),
        Case(
            testDescription: "the second message after an id is foreign",
            pushes: [(sent + "a", "12"), ("a", "x"), ("a", "y")],
            expected: [
                .nothing, .message(channel: "a", id: 12), .message(channel: "a", id: 0),
            ]),
        Case(
            testDescription: "an id whose message does not come",
            pushes: [(sent + "a", "12"), ("b", "x"), ("a", "y")],
            expected: [
                .nothing, .message(channel: "b", id: 0), .message(channel: "a", id: 0),
            ]),
        Case(
            testDescription: "two ids",
            pushes: [(sent + "a", "12"), (sent + "a", "13"), ("a", "x")],
            expected: [.nothing, .nothing, .message(channel: "a", id: 13)]),
        Case(
            testDescription: "a position", pushes: [(ChannelScript.positionChannel, "99")],
            expected: [.position(99)]),
        Case(
            testDescription: "a position parts a pair",
            pushes: [(sent + "a", "12"), (ChannelScript.positionChannel, "99"), ("a", "x")],
            expected: [.nothing, .position(99), .message(channel: "a", id: 0)]),
        Case(
            testDescription: "an id that is none", pushes: [(sent + "a", "1x"), ("a", "x")],
            expected: [.nothing, .message(channel: "a", id: 0)]),
    ]

    @Test("ids and messages", arguments: cases)
    func take(_ each: Case) {
        var pairing = MessagePairing()
        let outcomes = each.pushes.map { pairing.take($0.0, Array($0.1.utf8)) }
        #expect(outcomes == each.expected)
    }

    @Test("a lost connection parts a pair")
    func lost() {
        var pairing = MessagePairing()
        #expect(pairing.take(ChannelScript.sentPrefix + "a", Array("12".utf8)) == .nothing)
        pairing.lost()
        #expect(pairing.take("a", []) == .message(channel: "a", id: 0))
    }

    @Test(
        "what is an id",
        arguments: [
            ("1", 1), ("1795203870848028", 1_795_203_870_848_028), ("", nil), ("0", nil),
            ("01", nil), ("-1", nil), ("1.5", nil), ("17952038708480281", nil), ("1 ", nil),
        ] as [(String, UInt64?)])
    func id(_ text: String, _ expected: UInt64?) {
        #expect(MessagePairing.id(Array(text.utf8)) == expected)
    }
}
