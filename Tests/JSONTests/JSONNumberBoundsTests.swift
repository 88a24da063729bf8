import JSON
import Testing

@Suite("Bounds of numbers")
struct JSONNumberBoundsTests {
    static let cases: [(text: String, isAllowed: Bool)] = [
        ("{}", true), ("-0", true), ("1e400", true), ("1E-400", true), ("1e+0400", true),
        ("1e401", false), ("-1e-401", false), ("1e1000000000000", false),
        ("1e99999999999999999999", false), ("[1,{\"a\":[2e500]}]", false),
        ("{\"a\":1e500,\"a\":1}", false), ("\"1e500\"", true), ("{\"1e500\":null}", true),
    ]

    @Test("exponents, wherever the number stands", arguments: cases)
    func exponents(_ text: String, _ isAllowed: Bool) throws {
        #expect(JSONNumberBounds().allow(try JSONDocument.parse(text).root) == isAllowed)
    }

    static let smallCases: [(text: String, isAllowed: Bool)] = [
        ("1e-400", false), ("-1e-324", false),
        ("0." + String(repeating: "0", count: 330) + "1", false), ("5e-324", true), ("0", true),
        ("-0.0", true), ("0e-400", true), ("1e-300", true),
    ]

    @Test("nearer to zero than any double", arguments: smallCases)
    func underflow(_ text: String, _ isAllowed: Bool) throws {
        let root = try JSONDocument.parse("[\(text)]").root
        #expect(JSONNumberBounds().allow(root))
        #expect(JSONNumberBounds(refusesUnderflow: true).allow(root) == isAllowed)
    }

    @Test("length", arguments: [(1_000, true), (1_001, false)])
    func length(_ count: Int, _ isAllowed: Bool) throws {
        let text = "[" + String(repeating: "9", count: count) + "]"
        #expect(JSONNumberBounds().allow(try JSONDocument.parse(text).root) == isAllowed)
    }
}
