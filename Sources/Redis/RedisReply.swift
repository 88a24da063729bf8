internal import CHiredis

/// A reply of RESP2.
package enum RedisReply: Equatable, Sendable {
    case status(String)
    case bytes([UInt8])
    case integer(Int64)
    case array([RedisReply])
    case null
    /// The first word of an error. The rest can quote keys and values and is dropped.
    case error(code: String)

    /// A status or bytes as text; invalid UTF-8 is replaced.
    package var string: String? {
        switch self {
        case .status(let text): text
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .integer, .array, .null, .error: nil
        }
    }

    package var int: Int64? {
        if case .integer(let number) = self { return number }
        return nil
    }

    package var array: [RedisReply]? {
        if case .array(let replies) = self { return replies }
        return nil
    }

    package var isNull: Bool { self == .null }

    init(_ reply: redisReply) {
        switch reply.type {
        case REDIS_REPLY_INTEGER:
            self = .integer(reply.integer)
        case REDIS_REPLY_ARRAY:
            let elements = UnsafeBufferPointer(start: reply.element, count: reply.elements)
            self = .array(elements.map { $0.map { RedisReply($0.pointee) } ?? .null })
        case REDIS_REPLY_NIL:
            self = .null
        case REDIS_REPLY_STATUS:
            self = .status(String(decoding: RedisReply.text(reply), as: UTF8.self))
        case REDIS_REPLY_ERROR:
            self = .error(code: RedisReply.errorCode(RedisReply.text(reply)))
        default:
            self = .bytes(Array(RedisReply.text(reply)))
        }
    }

    private static func text(_ reply: redisReply) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: reply.str, count: reply.len)
    }

    /// The leading word of capital letters, else `ERR`. Commands within scripts keep their codes.
    static func errorCode(_ message: some Sequence<UInt8>) -> String {
        let isLetter = { (byte: UInt8) in
            (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || byte == UInt8(ascii: "_")
        }
        let word = message.prefix { $0 != UInt8(ascii: " ") }
        let text = Array(word)
        guard !text.isEmpty, text.count <= 32, text.allSatisfy(isLetter) else { return "ERR" }
        // Redis' form of NOPERM for a command within a script.
        if message.starts(with: "ERR ACL failure in script".utf8) { return "NOPERM" }
        return String(decoding: text, as: UTF8.self)
    }
}
