import Runtime
import Testing

@Suite("Bytes within a text")
struct StringProtocolContainsTests {
    struct Case: CustomTestStringConvertible {
        let testDescription: String
        let text: String
        let part: String
        let expected: Bool

        init(_ name: String, _ text: String, _ part: String, _ expected: Bool) {
            testDescription = name
            self.text = text
            self.part = part
            self.expected = expected
        }
    }

    static let cases = [
        Case("at the start", "cached plan", "cached", true),
        Case("at the end", "cached plan", "plan", true),
        Case("the whole", "plan", "plan", true),
        Case("after a false start", "aab", "ab", true),
        Case("longer than the text", "plan", "plans", false),
        Case("cut off", "cached pla", "plan", false),
        Case("nothing is everywhere", "plan", "", true),
        Case("nothing in nothing", "", "", true),
        Case("something in nothing", "", "a", false),
        Case("by bytes, not by meaning", "e\u{301}", "\u{E9}", false),
    ]

    @Test("contains", arguments: cases)
    func contains(_ each: Case) {
        #expect(each.text.contains(bytesOf: each.part) == each.expected)
    }
}
