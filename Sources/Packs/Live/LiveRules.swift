/// What of a pack lives in Redis.
package struct LiveRules: Sendable {
    package var states: [StateRule] = []
    package var channels: [ChannelRule] = []
    package var caches: [CacheRule] = []
    package var sessions: SessionRule?
    package var limits: RateLimitKeys?
    package var configuration: ConfigurationRule?
    /// The place in patterns that stands for the owner's id.
    package var ownerPlace = "owner"

    package init() {}

    package var isEmpty: Bool {
        states.isEmpty && channels.isEmpty && caches.isEmpty && sessions == nil && limits == nil
            && configuration == nil
    }

    package func state(_ name: String, of entity: String) -> StateRule? {
        states.first { $0.name == name && $0.entityPath == entity }
    }

    package func cache(_ name: String, of entity: String) -> CacheRule? {
        caches.first { $0.name == name && $0.entityPath == entity }
    }

    /// The rule of a channel and the values of its places; nil for a channel of nobody.
    package func channel(_ name: String) -> (rule: ChannelRule, values: [String])? {
        for rule in channels {
            if let values = rule.pattern.values(of: name) { return (rule, values) }
        }
        return nil
    }
}

/// A live value of one row, at `/v1/{pack}/{entity}/{id}/state/{name}`.
package struct StateRule: Sendable {
    package enum Kind: Sendable, Equatable {
        /// A JSON object, kept as it was written.
        case object
        /// A plain word; requests and answers carry it in `field`.
        case word(field: String)
        /// Words, newest first, no repeats.
        case list(itemCountMax: Int)
        /// An integer, changed atomically; never below `least`.
        case counter(least: Int64)
    }

    package var name: String
    package var entityPath: String
    package var kind: Kind
    /// One place: the row's id.
    package var key: KeyPattern
    /// Begins anew with each write; nil lasts for ever.
    package var ttlSeconds: Int?
    /// JSON Schema of a request's body, as JSON; nil allows every object.
    package var schema: [UInt8]?
    /// One place: the row's id. Nil publishes nothing.
    package var channel: KeyPattern?
    /// What is published, as JSON in which the texts `$body`, `$body.x`, `$previous`, `$value` and
    /// `$now` (milliseconds since 1970) stand for values; nil publishes the body.
    package var message: [UInt8]?
    package var history: HistoryRule?
}

/// Where the writes of a state are kept for ever.
package struct HistoryRule: Sendable {
    /// An entity whose columns are named like the members of the state.
    package var entityPath: String
    /// The column for the time of the write.
    package var timeColumn: String
}

/// A channel that callers may publish to and listen on.
package struct ChannelRule: Sendable {
    package var pattern: KeyPattern
    /// JSON Schema of a message that a caller publishes, as JSON; nil allows every object.
    package var schema: [UInt8]?
    /// Entities whose changes appear on it.
    package var changes: [ChangeRule]
    /// Callers may publish to it over HTTP.
    package var isPublishable: Bool
}

/// Changes of an entity as messages: the view gives `(key text, owner text, message jsonb)`.
package struct ChangeRule: Sendable {
    package var entityPath: String
    package var view: String
    /// The member of a message that holds the row's key; what is left of a deleted row.
    package var keyMember: String
    /// The word of `action`, by what happened; nil where that is not told.
    package var created: String?
    package var updated: String?
    package var deleted: String?
    /// Whether messages carry `action`.
    package var hasAction: Bool
}

/// A value that is read through Redis: the view gives `(key text, owner text, value jsonb)`.
package struct CacheRule: Sendable {
    package var name: String
    package var entityPath: String
    /// One place: the row's id.
    package var key: KeyPattern
    package var ttlSeconds: Int
    package var view: String
}

/// Sessions: rows of an entity with a key in Redis that lasts as long as the session is used.
package struct SessionRule: Sendable {
    package var entityPath: String
    /// Two places: the owner's id and the session's.
    package var key: KeyPattern
    package var ttlSeconds: Int
    package var expiresColumn: String
    package var activeColumn: String
    /// Filled with the client's address; nil where there is no such column.
    package var addressColumn: String?

    /// Whether no caller may write the column: the key, every time and the address say what
    /// happened, not what somebody says of it.
    package func isOurs(_ column: Column, of entity: Entity) -> Bool {
        column.isTime || column.name == entity.keyColumn || column.name == addressColumn
    }
}

/// The keys of rate limits, one place each.
package struct RateLimitKeys: Sendable {
    /// The place is the client's address.
    package var client: KeyPattern
    /// The place is the owner's id.
    package var owner: KeyPattern?
}

/// Values that all instances read from Redis and PostgreSQL holds: the view gives
/// `(name text, value jsonb)`.
package struct ConfigurationRule: Sendable {
    package var view: String
    /// One place: the name.
    package var key: KeyPattern
    /// Told the name of each value that has changed.
    package var channel: KeyPattern?
    /// Entities whose changes can change the values.
    package var sources: [String]
}

extension LiveRules {
    /// Entities whose changes have to reach Redis: told on channels, cached, or configuration.
    package var followedEntities: Set<String> {
        Set(channels.flatMap { $0.changes.map(\.entityPath) })
            .union(caches.map(\.entityPath))
            .union(configuration?.sources ?? [])
    }
}
