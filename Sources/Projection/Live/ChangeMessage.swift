internal import JSON
internal import Packs

/// A message and where it goes.
struct ChannelMessage: Equatable, Sendable {
    var channel: String
    /// JSON.
    var message: [UInt8]

    var byteCount: Int { channel.utf8.count + message.count }
}

/// What a change rule tells. Pure.
struct ChangeMessage: Sendable {
    let pattern: KeyPattern
    let rule: ChangeRule
    let ownerPlace: String
    /// A message that is longer is told as the key alone.
    let byteCountMax: Int

    /// The word of an action; nil where the rule does not tell it.
    func word(_ action: RowChange.Action) -> String? {
        switch action {
        case .created: rule.created
        case .updated: rule.updated
        case .deleted: rule.deleted
        case .vanished: nil
        }
    }

    /// - Parameters:
    ///   - shown: The message that the view gives; nil for a row that is gone.
    /// - Returns: nil where nothing is told, or where no channel can have the owner or key.
    func message(
        _ action: RowChange.Action, key: String, owner: String?, shown: [UInt8]?
    ) -> ChannelMessage? {
        guard let word = word(action), let channel = channel(key: key, owner: owner) else {
            return nil
        }
        let whole = compose(word, key, shown)
        let message = whole.count <= byteCountMax ? whole : compose(word, key, nil)
        return ChannelMessage(channel: channel, message: message)
    }

    private func channel(key: String, owner: String?) -> String? {
        var values: [String] = []
        for place in pattern.places {
            guard let value = place == ownerPlace ? owner : key, KeyPattern.isValue(value) else {
                return nil
            }
            values.append(value)
        }
        return pattern.filled(values)
    }

    private func compose(_ word: String, _ key: String, _ shown: [UInt8]?) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        if !word.isEmpty { json.field("action", word) }
        var isKeyTold = false
        if let shown, let document = try? JSONDocument.parse(shown) {
            for (name, value) in document.root.members where name != "action" || word.isEmpty {
                isKeyTold = isKeyTold || name == rule.keyMember
                json.key(name)
                json.value(value)
            }
        }
        if !isKeyTold { json.field(rule.keyMember, key) }
        json.endObject()
        return json.bytes
    }
}
