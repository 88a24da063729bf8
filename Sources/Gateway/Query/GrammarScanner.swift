/// Reads a text of the list grammar from left to right. Its delimiters are all ASCII.
struct GrammarScanner {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ text: some StringProtocol) { bytes = Array(text.utf8) }

    var isAtEnd: Bool { position == bytes.count }

    var next: UInt8? { isAtEnd ? nil : bytes[position] }

    /// Steps over `text` if it comes next.
    mutating func skip(_ text: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard isNext(text) else { return false }
        position += wanted.count
        return true
    }

    func isNext(_ text: StaticString) -> Bool {
        let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        return bytes[position...].starts(with: wanted)
    }

    /// Everything that is left.
    mutating func rest() -> String {
        defer { position = bytes.count }
        return string(position..<bytes.count)
    }

    /// Letters, digits and underscores.
    mutating func word() -> String {
        let start = position
        while let byte = next, byte.isWordByte { position += 1 }
        return string(start..<position)
    }

    /// A text in double quotes with backslash escapes; nil if there is none or it does not end.
    mutating func quoted() -> String? {
        guard next == UInt8(ascii: "\"") else { return nil }
        var text: [UInt8] = []
        var index = position + 1
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                position = index + 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\") where index + 1 < bytes.count:
                index += 1
                text.append(bytes[index])
            default: text.append(bytes[index])
            }
            index += 1
        }
        return nil
    }

    /// Everything up to one of `stops`, or an arrow if `isPath`; nothing is unescaped.
    mutating func run(until stops: StaticString, isPath: Bool = false) -> String {
        let ends = UnsafeBufferPointer(start: stops.utf8Start, count: stops.utf8CodeUnitCount)
        let start = position
        while let byte = next, !ends.contains(byte) {
            if isPath, isNext("->") { break }
            position += 1
        }
        return string(start..<position)
    }

    /// A text from `{` to its matching `}`, quoted parts and inner braces included.
    mutating func braced() -> String? {
        guard next == UInt8(ascii: "{") else { return nil }
        let start = position
        var depth = 0
        var isQuoted = false
        var index = position
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "\\"): index += 1
            case UInt8(ascii: "\""): isQuoted.toggle()
            case UInt8(ascii: "{") where !isQuoted: depth += 1
            case UInt8(ascii: "}") where !isQuoted:
                depth -= 1
                if depth == 0 {
                    position = index + 1
                    return string(start..<position)
                }
            default: break
            }
            index += 1
        }
        return nil
    }

    private func string(_ range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }
}

extension UInt8 {
    fileprivate var isWordByte: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}

/// A piece of the request for a message: short, so that a long one does not come back whole.
func quoteForMessage(_ text: some StringProtocol) -> String {
    text.count > 60 ? "`\(text.prefix(57))...`" : "`\(text)`"
}
