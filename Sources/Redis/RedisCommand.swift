/// One command in the form of the wire (RESP array of bulk strings).
package struct RedisCommand: Sendable, ExpressibleByArrayLiteral {
    /// What a command does to a connection that others share.
    private enum Role: Sendable {
        case ordinary
        case transaction(Transaction)
        /// Takes the connection over, changes it or blocks it.
        case exclusive
    }

    private enum Transaction: Sendable { case multi, exec, discard }

    /// The words after the header of the array.
    private(set) var words: [UInt8] = []
    private(set) var wordCount = 0
    private var role = Role.ordinary

    package init() {}

    package init(_ words: [String]) {
        for word in words { append(word) }
    }

    package init(_ words: [[UInt8]]) {
        for word in words { append(word) }
    }

    package init(arrayLiteral words: String...) { self.init(words) }

    /// A command that begins with words in the form of the wire, known to be ordinary.
    init(prefix: [UInt8], wordCount: Int, reserving byteCount: Int) {
        words.reserveCapacity(prefix.count + byteCount)
        words.append(contentsOf: prefix)
        self.wordCount = wordCount
    }

    package mutating func append(_ word: String) {
        var word = word
        word.withUTF8 { append(bytes: UnsafeRawBufferPointer($0)) }
    }

    package mutating func append(_ word: [UInt8]) { word.withUnsafeBytes { append(bytes: $0) } }

    package mutating func append(_ number: Int64) { append(number.description) }

    package mutating func append(_ argument: RedisArgument) {
        switch argument {
        case .text(let text): append(text)
        case .bytes(let bytes): append(bytes)
        case .number(let number): append(number)
        }
    }

    private mutating func append(bytes: UnsafeRawBufferPointer) {
        if wordCount == 0 { role = RedisCommand.role(of: bytes) }
        wordCount += 1
        words.append(UInt8(ascii: "$"))
        words.appendDecimal(bytes.count)
        words.append(0x0D)
        words.append(0x0A)
        words.append(contentsOf: bytes)
        words.append(0x0D)
        words.append(0x0A)
    }

    /// The start of the array, which stands before ``words``.
    var header: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8)
        bytes.append(UInt8(ascii: "*"))
        bytes.appendDecimal(wordCount)
        bytes.append(0x0D)
        bytes.append(0x0A)
        return bytes
    }

    var encoded: [UInt8] { header + words }

    /// Whether commands in a row leave a shared connection as they found it: each gets exactly one
    /// reply, none takes the connection over or blocks it, and a transaction that begins also ends.
    static func areShareable(_ commands: [RedisCommand]) -> Bool {
        for (index, command) in commands.enumerated() {
            if command.wordCount == 0 { return false }
            switch command.role {
            case .ordinary: continue
            case .exclusive, .transaction(.discard): return false
            case .transaction(.multi):
                guard index == 0, case .transaction(.exec)? = commands.last?.role else {
                    return false
                }
            case .transaction(.exec):
                guard index == commands.count - 1, case .transaction(.multi) = commands[0].role
                else { return false }
            }
        }
        return true
    }

    /// ``areShareable(_:)`` for one command.
    var isShareable: Bool {
        guard wordCount > 0, case .ordinary = role else { return false }
        return true
    }

    private static func role(of name: UnsafeRawBufferPointer) -> Role {
        guard name.count <= 16 else { return .ordinary }
        switch packed(name) {
        case multiName: return .transaction(.multi)
        case execName: return .transaction(.exec)
        case discardName: return .transaction(.discard)
        case let key: return exclusiveNames.contains(key) ? .exclusive : .ordinary
        }
    }
}

extension [UInt8] {
    /// Appends a number that is not negative.
    mutating func appendDecimal(_ number: Int) {
        if number >= 10 { appendDecimal(number / 10) }
        append(UInt8(ascii: "0") + UInt8(number % 10))
    }
}

/// At most 16 bytes in capital letters as one number.
private func packed(_ name: some Sequence<UInt8>) -> UInt128 {
    var key: UInt128 = 0
    for byte in name {
        let isSmall = byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z")
        key = key << 8 | UInt128(isSmall ? byte & 0xDF : byte)
    }
    return key
}

private let multiName = packed("MULTI".utf8)
private let execName = packed("EXEC".utf8)
private let discardName = packed("DISCARD".utf8)

private let exclusiveNames = Set(
    [
        "AUTH", "BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX",
        "BZPOPMIN", "HELLO", "MONITOR", "PSUBSCRIBE", "PSYNC", "PUNSUBSCRIBE", "QUIT", "RESET",
        "SELECT", "SSUBSCRIBE", "SUBSCRIBE", "SUNSUBSCRIBE", "SYNC", "UNSUBSCRIBE", "UNWATCH",
        "WAIT", "WAITAOF", "WATCH",
    ].map { packed($0.utf8) })
