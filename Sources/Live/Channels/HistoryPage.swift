internal import Redis

/// A page of the histories of several channels, in the order of their ids.
struct HistoryPage: Sendable {
    var facts: HistoryGap.Facts
    /// Whether there may be more after ``end``.
    var isPartial: Bool
    /// The id up to which the page is whole.
    var end: UInt64
    var events: [ChannelEvent]

    /// Bytes of the events as they are sent.
    var byteCount: Int { events.reduce(0) { $0 + $1.bytes.count } }

    /// - Parameter channels: In the order of the keys that the script was given.
    /// - Returns: nil for anything that the script does not answer.
    init?(_ reply: RedisReply, channels: [String]) {
        guard let parts = reply.array, parts.count == 7,
            let last = parts[0].messageID, let since = parts[1].messageID,
            let now = parts[2].messageID, let facts = parts[3].array,
            let isPartial = parts[4].int, let end = parts[5].messageID,
            let messages = parts[6].array, messages.count % 3 == 0
        else { return nil }
        self.facts = HistoryGap.Facts(last: last, since: since, now: now, histories: [])
        self.isPartial = isPartial == 1
        self.end = end
        events = []
        for fact in facts {
            guard let numbers = fact.array, numbers.count == 3, let count = numbers[0].messageID,
                let added = numbers[1].messageID, let first = numbers[2].messageID
            else { return nil }
            self.facts.histories.append(
                .init(count: count, addedCount: added, first: first))
        }
        events.reserveCapacity(messages.count / 3)
        for start in stride(from: 0, to: messages.count, by: 3) {
            guard let id = messages[start].messageID, let index = messages[start + 1].int,
                channels.indices.contains(Int(index) - 1),
                case .bytes(let message) = messages[start + 2]
            else { return nil }
            events.append(
                ChannelEvent(channel: channels[Int(index) - 1], id: id, message: message))
        }
    }
}

extension RedisReply {
    /// A number, as integer or as digits.
    var messageID: UInt64? {
        switch self {
        case .integer(let number): UInt64(exactly: number)
        case .bytes(let digits): digits == [UInt8(ascii: "0")] ? 0 : MessagePairing.id(digits)
        case .status, .array, .null, .error: nil
        }
    }
}
