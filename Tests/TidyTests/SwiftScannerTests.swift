import Testing

@Suite struct SwiftScannerTests {
    struct Case: CustomTestStringConvertible {
        let testDescription: String
        let text: String
        let code: String
        let literals: [String]

        init(_ name: String, _ text: String, _ code: String, _ literals: [String] = []) {
            testDescription = name
            self.text = text
            self.code = code
            self.literals = literals
        }
    }

    static let cases: [Case] = [
        Case("code stays", "let a = b", "let a = b"),
        Case("a line comment goes", "a // \"b\"\nc", "a\nc"),
        Case("block comments nest", "a /* b /* c */ d */ e", "a e"),
        Case("a literal goes", "f(\"x y\")", "f( )", ["x y"]),
        Case("a comment sign in a literal", "\"//\" a", "a", ["//"]),
        Case("an escaped quote", #"f("a\"b") c"#, "f( ) c", [#"a\"b"#]),
        Case("an interpolation is code", #""a\(b + "c")d" e"#, "b + e", ["a", "c", "d"]),
        Case("parentheses in one", #""\(f(1))" e"#, "f(1) e"),
        Case("a raw string", ##"#"a"b\(c)"# d"##, "d", [#"a"b\(c)"#]),
        Case("a long string, by lines", "\"\"\"\na\nb\"\"\" c", "\n\n c", ["a", "b"]),
    ]

    @Test(arguments: cases) func scan(_ each: Case) {
        let source = SwiftSource(TextFile(path: "Sources/A/A.swift", text: each.text))
        let words = source.code.map { line in
            line.split(separator: " ").joined(separator: " ")
        }
        let expected = each.code.split(separator: "\n", omittingEmptySubsequences: false).map {
            $0.split(separator: " ").joined(separator: " ")
        }
        #expect(words == expected)
        #expect(source.literals.map(\.text) == each.literals)
    }

    @Test func linesAreCounted() {
        let text = "a\n/* b\nc */\n\"\"\"\n  d\n\"\"\"\n\"e\""
        let source = SwiftSource(TextFile(path: "Sources/A/A.swift", text: text))
        #expect(source.literals.map(\.line).first == 5)
        #expect(source.literals.map(\.line).last == 7)
    }
}
