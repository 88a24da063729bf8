/// One command in the form of the wire (RESP array of bulk strings).
package struct RedisCommand: Sendable, ExpressibleByArrayLiteral {
    private var words: [UInt8] = []
    private var wordCount = 0
    private var name: [UInt8] = []

    package init() {}

    package init(_ words: [String]) {
        for word in words { append(word) }
    }

    package init(_ words: [[UInt8]]) {
        for word in words { append(word) }
    }

    package init(arrayLiteral words: String...) { self.init(words) }

    package mutating func append(_ word: String) {
        var word = word
        word.withUTF8 { append(bytes: $0) }
    }

    package mutating func append(_ word: [UInt8]) { append(bytes: word) }

    package mutating func append(_ number: Int64) { append(number.description) }

    private mutating func append<Bytes: Collection<UInt8>>(bytes: Bytes) {
        if wordCount == 0 { name = Array(bytes) }
        wordCount += 1
        words.append(UInt8(ascii: "$"))
        words.append(contentsOf: bytes.count.description.utf8)
        words.append(contentsOf: lineEnd)
        words.append(contentsOf: bytes)
        words.append(contentsOf: lineEnd)
    }

    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(words.count + 16)
        bytes.append(UInt8(ascii: "*"))
        bytes.append(contentsOf: wordCount.description.utf8)
        bytes.append(contentsOf: lineEnd)
        bytes.append(contentsOf: words)
        return bytes
    }

    private var upperCaseName: String { String(decoding: name, as: UTF8.self).uppercased() }

    /// Whether commands in a row leave a shared connection as they found it: each gets exactly one
    /// reply, none takes the connection over or blocks it, and a transaction that begins also ends.
    static func areShareable(_ commands: [RedisCommand]) -> Bool {
        let names = commands.map(\.upperCaseName)
        guard commands.allSatisfy({ $0.wordCount > 0 }) else { return false }
        guard names.allSatisfy({ !unshareableNames.contains($0) }) else { return false }
        guard names.contains(where: { transactionNames.contains($0) }) else { return true }
        return names.first == "MULTI" && names.last == "EXEC"
            && !names.dropFirst().dropLast().contains(where: { transactionNames.contains($0) })
    }
}

private let lineEnd: [UInt8] = [0x0D, 0x0A]

private let transactionNames: Set<String> = ["DISCARD", "EXEC", "MULTI"]

private let unshareableNames: Set<String> = [
    "AUTH", "BLMOVE", "BLMPOP", "BLPOP", "BRPOP", "BRPOPLPUSH", "BZMPOP", "BZPOPMAX", "BZPOPMIN",
    "HELLO", "MONITOR", "PSUBSCRIBE", "PSYNC", "PUNSUBSCRIBE", "QUIT", "RESET", "SELECT",
    "SSUBSCRIBE", "SUBSCRIBE", "SUNSUBSCRIBE", "SYNC", "UNSUBSCRIBE", "UNWATCH", "WAIT",
    "WAITAOF", "WATCH",
]
