import Testing

/// What holds for every text file.
@Suite struct TextTests {
    /// Built from pieces, so that this file does not break its own rule.
    static let unfinished = ["TO" + "DO", "FIX" + "ME", "HA" + "CK", "XX" + "X"]

    @Test func nothingIsLeftUnfinished() {
        expectNone(
            Checkout.textFiles.filter { $0.path != "LICENSE" }.flatMap { file in
                file.lines.enumerated().filter { isUnfinished($0.element) }
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

/// In double quotes it is only spoken of.
private func isUnfinished(_ line: Substring) -> Bool {
    TextTests.unfinished.contains { word in
        line.contains(word) && words(line).contains { $0 == word } && !line.contains("\"\(word)\"")
    }
}

private func words(_ line: Substring) -> [Substring] {
    line.split { !$0.isASCII || !($0.isLetter || $0.isNumber) }
}
