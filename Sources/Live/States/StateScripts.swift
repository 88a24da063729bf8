package import Packs
package import Redis

/// The scripts of one state: each does a whole write in one atomic step and then publishes it.
///
/// A script answers what was done, or a list that begins with a status if it refused. They are made
/// once a pack, with the message as a fixed row of arguments and values, so that Redis takes
/// nothing apart.
///
/// All that write have the keys: the state and, where there is a history, its stream and the mark
/// of a delete that is not in PostgreSQL yet. Their first argument is a ``StateCondition``.
package struct StateScripts: Sendable {
    /// Keys: the state alone. Answers what is there as GET or LRANGE would, but nothing that is too
    /// large: the connection that brings it is also that of others.
    package let read: RedisScript
    /// Arguments: condition, value, parts of the message. Answers 1.
    /// Of a list: condition, the item that is new or nothing, parts of the message. Answers the
    /// items. Of a counter: condition, what to add, parts of the message. Answers the number.
    package let change: RedisScript
    /// Arguments: condition, value, parts of the message. Answers as ``change`` does.
    package let replace: RedisScript
    /// Arguments: condition. Answers 1 or, where nothing was, 0.
    package let delete: RedisScript

    /// Statuses of refusals.
    package static let precondition = "PRECONDITION"
    package static let historyFull = "HISTORYFULL"
    package static let unreadable = "UNREADABLE"
    package static let tooLarge = "TOOLARGE"
    package static let belowLeast = "BELOWLEAST"
    package static let outOfRange = "OUTOFRANGE"

    package init(
        _ rule: StateRule, template: MessageTemplate, pack: String, states: StateLimits,
        channels: ChannelLimits
    ) {
        let writer = StateScriptWriter(
            rule: rule, template: template, states: states, channels: channels)
        let name = "\(pack)-\(rule.name)"
        read = RedisScript(name: "\(name)-read", source: writer.read)
        replace = RedisScript(name: "\(name)-replace", source: writer.replace)
        change = RedisScript(name: "\(name)-change", source: writer.change)
        delete = RedisScript(name: "\(name)-delete", source: writer.delete)
    }
}

/// What `If-Match` and `If-None-Match` ask of a write, as the scripts read it.
package enum StateCondition {
    package static let none = ""
    package static let mustExist = "*"
    package static let mustNotExist = "-"

    /// One of these tags, none of which holds a comma.
    package static func oneOf(_ tags: [String]) -> String {
        "," + tags.joined(separator: ",") + ","
    }
}

/// Names of the keys that histories use.
package enum StateHistoryKeys {
    /// The stream of writes that PostgreSQL does not have yet.
    package static func stream(pack: String, state: String) -> String {
        "fourfold:history:\(pack):\(state)"
    }

    /// Where the id of a state's delete stands until PostgreSQL has it.
    package static func deleted(_ key: String) -> String { "fourfold:deleted:\(key)" }

    /// A text that Redis forgets when it loses its data.
    package static let identity = "fourfold:identity"
}
