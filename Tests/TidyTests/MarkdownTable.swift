/// Tables of documents.
enum MarkdownTable {
    /// The rows of the first table behind a marker, without its head; cells without outer blanks.
    static func after(_ marker: String, in text: String) -> [[String]] {
        guard let range = text.firstRange(of: marker) else { return [] }
        let lines = text[range.upperBound...]
            .split(separator: "\n", omittingEmptySubsequences: false)
        let table = lines.drop { !$0.hasPrefix("|") }.prefix { $0.hasPrefix("|") }
        return table.dropFirst(2).map { line in
            line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false)
                .map { String($0).trimmed }
        }
    }
}

extension StringProtocol {
    var trimmed: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    /// Without back quotes and commas.
    var unquoted: String { String(filter { !"`,".contains($0) }).trimmed }
}
