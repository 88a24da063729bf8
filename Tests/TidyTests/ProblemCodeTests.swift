import Testing

/// Codes of problems: callers read their list, so it holds none that is never sent.
@Suite struct ProblemCodeTests {
    @Test func everyCodeIsRaised() throws {
        let home = "Sources/Gateway/Problem/ProblemCode.swift"
        let file = try #require(Checkout.files(under: home, ".swift").first)
        let others = Checkout.files(under: "Sources/", ".swift").filter { $0.path != home }
        let codes = file.lines.enumerated().compactMap { line, text -> (Int, Substring)? in
            let words = text.split(separator: " ")
            guard words.count == 4, words[0] == "case", words[2] == "=" else { return nil }
            return (line + 1, words[1])
        }
        #expect(codes.count > 50)
        expectNone(
            codes.filter { _, code in !others.contains { $0.text.contains(".\(code)") } }
                .map { line, code in Violation(home, line, "\(code) is never raised") })
    }
}
