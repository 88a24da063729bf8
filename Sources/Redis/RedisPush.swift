/// What a subscribed RESP2 connection receives.
enum RedisPush: Equatable {
    case message(channel: String, payload: [UInt8])
    case confirmation(SubscriptionSet.Command.Kind, channel: String)
    /// An error reply to a subscription.
    case refusal
    case pong

    /// Nil for anything else.
    init?(_ reply: RedisReply) {
        switch reply {
        case .error: self = .refusal
        // What PING answers where nothing is subscribed.
        case .status("PONG"): self = .pong
        case .array(let parts):
            guard parts.count >= 2, case .bytes(let kind) = parts[0],
                case .bytes(let second) = parts[1]
            else { return nil }
            switch (kind, parts.count) {
            case (messageWord, 3):
                guard case .bytes(let payload) = parts[2] else { return nil }
                self = .message(channel: String(decoding: second, as: UTF8.self), payload: payload)
            case (subscribeWord, 3):
                self = .confirmation(
                    .subscribe, channel: String(decoding: second, as: UTF8.self))
            case (unsubscribeWord, 3):
                self = .confirmation(
                    .unsubscribe, channel: String(decoding: second, as: UTF8.self))
            case (pongWord, 2): self = .pong
            default: return nil
            }
        default: return nil
        }
    }
}

private let messageWord = Array("message".utf8)
private let subscribeWord = Array("subscribe".utf8)
private let unsubscribeWord = Array("unsubscribe".utf8)
private let pongWord = Array("pong".utf8)
