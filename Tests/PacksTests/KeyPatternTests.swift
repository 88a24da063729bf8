import Packs
import Testing

@Suite("Key patterns")
struct KeyPatternTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let pattern: String
        let key: String
        let values: [String]?
        var testDescription: String { "\(pattern) of \(key)" }

        init(_ pattern: String, _ key: String, _ values: [String]?) {
            (self.pattern, self.key, self.values) = (pattern, key, values)
        }
    }

    static let cases: [Case] = [
        Case("a:{x}:b", "a:1:b", ["1"]),
        Case("a:{x}:b:{y}", "a:1:b:2", ["1", "2"]),
        Case("a:{x}", "a:1", ["1"]),
        Case("a", "a", []),
        Case("a:{x}:b", "a::b", nil),
        Case("a:{x}:b", "a:1:2:b", nil),
        Case("a:{x}:b", "a:1:c", nil),
        Case("a:{x}:b", "a:1:bb", nil),
        Case("a:{x}:b", "a:*:b", nil),
        Case("a:{x}:b", "a:1 2:b", nil),
        Case("a:{x}", "a:", nil),
        Case("a", "b", nil),
        Case("K:{x}", "\u{212A}:1", nil),
        Case("a;{x}", "a\u{37E}1", nil),
        Case("a:{x}", "a:\u{E9}", nil),
    ]

    @Test("a filled pattern is taken apart again", arguments: cases)
    func values(_ each: Case) throws {
        let pattern = try #require(KeyPattern(each.pattern))
        let values = pattern.values(of: each.key)
        #expect(values == each.values)
        if let values { #expect(pattern.filled(values) == each.key) }
    }

    @Test(
        "what is no pattern",
        arguments: ["", "a:{", "a:}", "{}", "a:{x}:{x}", "{x}{y}", "a*", "a b", "a:{x{y}}"])
    func refused(_ text: String) { #expect(KeyPattern(text) == nil) }

    @Test("a pattern for scanning")
    func glob() { #expect(KeyPattern("a:{x}:b:{y}")?.glob == "a:*:b:*") }
}
