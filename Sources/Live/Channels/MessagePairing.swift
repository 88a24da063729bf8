/// Joins ids with their messages: what a subscriber's connection delivers, in order.
///
/// A script publishes the id right before the message, so nothing can stand between the two. A
/// message that does not follow its id came from another client, an id without its message from
/// a channel that is not subscribed wholly yet.
struct MessagePairing {
    enum Outcome: Equatable {
        case nothing
        case message(channel: String, id: UInt64)
        /// Everything up to this id has been delivered.
        case position(UInt64)
    }

    private var pending: (channel: String, id: UInt64)?

    /// Takes the next push of the connection.
    mutating func take(_ name: String, _ payload: [UInt8]) -> Outcome {
        let previous = pending
        pending = nil
        if name.utf8.starts(with: ChannelScript.sentPrefix.utf8) {
            guard let id = MessagePairing.id(payload) else { return .nothing }
            pending = (String(name.dropFirst(ChannelScript.sentPrefix.count)), id)
            return .nothing
        }
        if name == ChannelScript.positionChannel {
            return MessagePairing.id(payload).map { .position($0) } ?? .nothing
        }
        if let previous, previous.channel == name {
            return .message(channel: name, id: previous.id)
        }
        return .message(channel: name, id: 0)
    }

    /// What comes next comes from another connection.
    mutating func lost() { pending = nil }

    /// The number of 1 to 16 digits without a leading zero, else nil.
    static func id(_ digits: some Collection<UInt8>) -> UInt64? {
        guard (1...idDigitCountMax).contains(digits.count), digits.first != UInt8(ascii: "0") else {
            return nil
        }
        var id: UInt64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            id = id * 10 + UInt64(digit - UInt8(ascii: "0"))
        }
        return id
    }

    /// Microseconds since 1970 have 16 digits until the year 2286.
    static let idDigitCountMax = 16
}
