import Testing

@Suite struct FunctionLengthTests {
    static let lineCountMax = 70

    @Test func noFunctionIsTooLong() {
        let all = Checkout.sources + Checkout.tests
        expectNone(
            all.flatMap { source in
                functions(source.code).filter { $0.lineCount > Self.lineCountMax }.map {
                    Violation(
                        source.path, $0.line,
                        "a function of \($0.lineCount) lines, at most \(Self.lineCountMax)")
                }
            })
    }

    @Test func lengthsAreFound() {
        let code = ["func a() {", "  if b { c }", "}", "init?(d: E) { f }", "let x = y.init()"]
        #expect(functions(code).map(\.line) == [1, 4])
        #expect(functions(code).map(\.lineCount) == [3, 1])
    }

    @Test func aRequirementHasNoBody() {
        let code = ["protocol P {", "  func a()", "  func b() -> C", "}", "func d() {", "}"]
        #expect(functions(code).map(\.line) == [5])
    }
}

private struct Function {
    let line: Int
    let lineCount: Int
}

/// Functions and initializers that have a body, from the first line of the declaration to the
/// closing brace. A declaration without one ends where its protocol closes or the next begins.
private func functions(_ code: [String]) -> [Function] {
    var found: [Function] = []
    for (index, line) in code.enumerated() where beginsFunction(line) {
        var depth = 0
        search: for (offset, text) in code[index...].enumerated() {
            if offset > 0 && depth == 0 && beginsFunction(text) { break }
            for byte in text.utf8 {
                if byte == UInt8(ascii: "{") { depth += 1 }
                guard byte == UInt8(ascii: "}") else { continue }
                depth -= 1
                if depth < 0 { break search }
                guard depth == 0 else { continue }
                found.append(Function(line: index + 1, lineCount: offset + 1))
                break search
            }
        }
    }
    return found
}

private func beginsFunction(_ line: String) -> Bool {
    let words = line.split(separator: " ")
    for word in words {
        if word == "func" { return true }
        if ["init(", "init?(", "init<", "deinit", "subscript("].contains(where: word.hasPrefix) {
            return true
        }
        let isModifier = word.hasPrefix("@") || word.allSatisfy { $0.isLetter || "()".contains($0) }
        if !isModifier { return false }
    }
    return false
}
