import Testing

/// What holds for every text file.
@Suite struct TextTests {
    /// Built from pieces, so that this file does not break its own rule.
    static let unfinished = ["TO" + "DO", "FIX" + "ME", "HA" + "CK", "XX" + "X"]

    @Test func nothingIsLeftUnfinished() {
        expectNone(
            Checkout.textFiles.filter { $0.path != "LICENSE" }.flatMap { file in
                file.lines.enumerated().filter { words($0.element).contains(where: isUnfinished) }
                    .map { Violation(file.path, $0.offset + 1, "do it or leave it out") }
            })
    }

    @Test func noLineEndsInBlanks() {
        expectNone(
            Checkout.textFiles.flatMap { file in
                file.lines.enumerated().filter { $0.element.last == " " || $0.element.last == "\t" }
                    .map { Violation(file.path, $0.offset + 1, "blanks at the end") }
            })
    }

    @Test func everyFileEndsWithOneLineFeed() {
        expectNone(
            Checkout.textFiles.filter { !$0.text.isEmpty }.filter {
                !$0.text.hasSuffix("\n") || $0.text.hasSuffix("\n\n")
            }.map { Violation($0.path, $0.lineCount, "must end with one line feed") })
    }
}

private func isUnfinished(_ word: Substring) -> Bool {
    TextTests.unfinished.contains { $0 == word }
}

private func words(_ line: Substring) -> [Substring] {
    line.split { !$0.isASCII || !($0.isLetter || $0.isNumber) }
}
