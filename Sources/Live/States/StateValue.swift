internal import JSON
package import Packs
package import Redis

/// What a state holds, as the gateway shows it.
package struct StateValue: Sendable, Equatable {
    package let json: [UInt8]
    /// Without quotes; nil for a value that is only assumed because nothing is there.
    package let tag: [UInt8]?

    package init(json: [UInt8], tag: [UInt8]?) {
        self.json = json
        self.tag = tag
    }

    /// The answer of Redis to a read could not be a value of the state's kind.
    package struct Unreadable: Error {}

    /// - Returns: nil where nothing is there. Lists and counters are then empty and zero.
    /// - Throws: ``Unreadable`` for what no gateway would have stored.
    package static func read(
        _ reply: RedisReply, _ rule: StateRule, _ limits: StateLimits
    ) throws(Unreadable) -> StateValue? {
        switch (rule.kind, reply) {
        case (.object, .bytes(let bytes)): return try object(bytes, limits)
        case (.word(let field), .bytes(let bytes)): return try word(bytes, field, limits)
        case (.counter, .bytes(let bytes)): return try counter(bytes)
        case (.counter(let least), .null):
            return StateValue(json: json(counter: String(max(0, least))), tag: nil)
        case (.list, .array(let replies)): return try list(replies, limits)
        case (.object, .null), (.word, .null): return nil
        default: throw Unreadable()
        }
    }

    private static func object(
        _ bytes: [UInt8], _ limits: StateLimits
    ) throws(Unreadable) -> StateValue {
        guard bytes.count <= limits.valueByteCountMax,
            let document = try? JSONDocument.parse(bytes), document.root.kind == .object
        else { throw Unreadable() }
        return StateValue(json: bytes, tag: StateTag.make(bytes))
    }

    private static func word(
        _ bytes: [UInt8], _ field: String, _ limits: StateLimits
    ) throws(Unreadable) -> StateValue {
        guard bytes.count <= limits.valueByteCountMax,
            let word = String(validating: bytes, as: UTF8.self)
        else { throw Unreadable() }
        return StateValue(json: json(word: word, field: field), tag: StateTag.make(bytes))
    }

    private static func counter(_ bytes: [UInt8]) throws(Unreadable) -> StateValue {
        // As text: what Redis holds is the answer, and `+1` or `01` are no JSON.
        guard bytes.count <= 20, let text = String(validating: bytes, as: UTF8.self),
            let number = Int64(text), String(number) == text
        else { throw Unreadable() }
        return StateValue(json: json(counter: text), tag: StateTag.make(bytes))
    }

    private static func list(
        _ replies: [RedisReply], _ limits: StateLimits
    ) throws(Unreadable) -> StateValue {
        var items: [[UInt8]] = []
        var writer = JSONWriter(capacity: 16 + replies.count * 40)
        writer.beginObject()
        writer.key("items")
        writer.beginArray()
        for reply in replies {
            guard case .bytes(let bytes) = reply, bytes.count <= limits.valueByteCountMax,
                let text = String(validating: bytes, as: UTF8.self)
            else { throw Unreadable() }
            items.append(bytes)
            writer.string(text)
        }
        writer.endArray()
        writer.endObject()
        return StateValue(
            json: writer.bytes, tag: items.isEmpty ? nil : StateTag.make(items: items))
    }

    private static func json(counter: String) -> [UInt8] { Array("{\"value\":\(counter)}".utf8) }

    private static func json(word: String, field: String) -> [UInt8] {
        var writer = JSONWriter(capacity: word.utf8.count + field.utf8.count + 8)
        writer.beginObject()
        writer.field(field, word)
        writer.endObject()
        return writer.bytes
    }
}
