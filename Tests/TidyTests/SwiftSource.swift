/// A Swift file in which code, comments and string literals can be told apart.
struct SwiftSource {
    /// A run of literal text; an interpolation ends one and begins another.
    struct Literal {
        let line: Int
        let text: String
    }

    let file: TextFile
    /// The lines with blanks instead of comments and literals.
    let code: [String]
    let literals: [Literal]

    var path: String { file.path }

    /// The folder under `Sources` or `Tests`.
    var target: String { String(path.split(separator: "/")[1]) }

    init(_ file: TextFile) {
        self.file = file
        var scanner = SwiftScanner(Array(file.text.utf8))
        scanner.run()
        code = String(decoding: scanner.code, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        literals = scanner.literals
    }

    /// The lines of code that `isMatch` accepts.
    func violations(_ message: String, where isMatch: (String) -> Bool) -> [Violation] {
        code.enumerated().filter { isMatch($0.element) }
            .map { Violation(path, $0.offset + 1, message) }
    }
}

/// Tells code from comments and literals: nested comments, raw and multi-line strings,
/// interpolations. It knows no regular expression literals; there are none.
struct SwiftScanner {
    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    private(set) var code: [UInt8] = []
    private(set) var literals: [SwiftSource.Literal] = []

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func run() { scanCode(untilParenthesis: false) }

    /// - Parameter untilParenthesis: Ends behind the parenthesis that closes an interpolation.
    private mutating func scanCode(untilParenthesis: Bool) {
        var depth = 0
        while index < bytes.count {
            if isNext("//") {
                while index < bytes.count, bytes[index] != UInt8(ascii: "\n") { blank() }
            } else if isNext("/*") {
                scanBlockComment()
            } else if let hashCount = openingQuote() {
                scanString(hashCount: hashCount)
            } else {
                let byte = bytes[index]
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") {
                    depth -= 1
                    if untilParenthesis && depth < 0 {
                        blank()
                        return
                    }
                }
                keep()
            }
        }
    }

    private mutating func scanBlockComment() {
        var depth = 0
        repeat {
            if isNext("/*") {
                depth += 1
                blank(2)
            } else if isNext("*/") {
                depth -= 1
                blank(2)
            } else {
                blank()
            }
        } while depth > 0 && index < bytes.count
    }

    /// The number of `#` before a quote that stands here; nil if none does.
    private func openingQuote() -> Int? {
        var end = index
        while end < bytes.count, bytes[end] == UInt8(ascii: "#") { end += 1 }
        return end < bytes.count && bytes[end] == UInt8(ascii: "\"") ? end - index : nil
    }

    private mutating func scanString(hashCount: Int) {
        blank(hashCount)
        let quote = isNext("\"\"\"") ? "\"\"\"" : "\""
        let hashes = String(repeating: "#", count: hashCount)
        let escape = "\\" + hashes
        blank(quote.utf8.count)
        var text: [UInt8] = []
        var start = line
        func end(_ literals: inout [SwiftSource.Literal]) {
            if text.isEmpty { return }
            literals.append(.init(line: start, text: String(decoding: text, as: UTF8.self)))
        }
        while index < bytes.count {
            if isNext(quote + hashes) {
                blank(quote.utf8.count + hashCount)
                break
            } else if isNext(escape + "(") {
                end(&literals)
                blank(escape.utf8.count + 1)
                scanCode(untilParenthesis: true)
                text = []
                start = line
            } else if isNext(escape) {
                text += bytes[index..<min(index + escape.utf8.count + 1, bytes.count)]
                blank(escape.utf8.count + 1)
            } else {
                if quote.utf8.count == 3 && bytes[index] == UInt8(ascii: "\n") {
                    end(&literals)
                    text = []
                    blank()
                    start = line
                    continue
                }
                text.append(bytes[index])
                blank()
            }
        }
        end(&literals)
    }

    private func isNext(_ text: String) -> Bool {
        bytes[index...].starts(with: text.utf8)
    }

    private mutating func keep() {
        if bytes[index] == UInt8(ascii: "\n") { line += 1 }
        code.append(bytes[index])
        index += 1
    }

    private mutating func blank(_ count: Int = 1) {
        for _ in 0..<count where index < bytes.count {
            let isLineEnd = bytes[index] == UInt8(ascii: "\n")
            if isLineEnd { line += 1 }
            code.append(isLineEnd ? bytes[index] : UInt8(ascii: " "))
            index += 1
        }
    }
}
