internal import JSON
package import Live
package import Packs

/// A pack with the statements of its entities. Made once, shared by all loops.
package final class ServedPack: Sendable {
    package let pack: Pack
    /// Nil where the pack has none.
    let sessions: ServedSessions?
    private let configuration: ServedConfiguration?
    private let entities: [String: ServedEntity]
    /// By entity and name.
    private let states: [String: [String: ServedState]]
    /// Of the messages of a channel, by its pattern.
    private let messageSchemas: [String: JSONSchema]
    private let caches: [String: [String: ServedCache]]

    package init(_ pack: Pack, live limits: LiveLimits = .init()) {
        self.pack = pack
        let sessions = ServedSessions(pack)
        self.sessions = sessions
        configuration = pack.live.configuration.map {
            ServedConfiguration(pack, $0, limits.channels)
        }
        // The routes of sessions stand in the place of those of their entity.
        let ordinary = pack.entities.filter { $0.path != sessions?.rule.entityPath }
        let served = ordinary.map { entity in
            (entity.path, ServedEntity(entity, pack: pack.name))
        }
        let entities = Dictionary(served) { first, _ in first }
        self.entities = entities
        var states: [String: [String: ServedState]] = [:]
        for rule in pack.live.states {
            guard let entity = entities[rule.entityPath] else { continue }
            states[rule.entityPath, default: [:]][rule.name] = ServedState(
                rule, entity, pack, limits)
        }
        self.states = states
        var schemas: [String: JSONSchema] = [:]
        for rule in pack.live.channels {
            // What does not compile was refused when the pack was loaded.
            let schema = rule.schema.flatMap { try? JSONDocument.parse($0) }
                .flatMap { JSONSchema.compile($0.root).schema }
            if let schema { schemas[rule.pattern.text] = schema }
        }
        messageSchemas = schemas
        var caches: [String: [String: ServedCache]] = [:]
        for rule in pack.live.caches {
            guard let entity = entities[rule.entityPath] else { continue }
            caches[rule.entityPath, default: [:]][rule.name] = ServedCache(rule, entity, pack)
        }
        self.caches = caches
    }

    func cache(_ name: String, of entity: String) throws(Problem) -> ServedCache {
        if let cache = caches[entity]?[name] { return cache }
        let served = try self.entity(entity)
        let names = caches[entity]?.keys.sorted().joined(separator: ", ") ?? "none"
        throw Problem(
            .unknownState, "\(served.entity.path) has no cache of this name.",
            hint: "There are: \(names).")
    }

    func state(_ name: String, of entity: String) throws(Problem) -> ServedState {
        if let state = states[entity]?[name] { return state }
        let served = try self.entity(entity)
        let names = states[entity]?.keys.sorted().joined(separator: ", ") ?? "none"
        throw Problem(
            .unknownState, "\(served.entity.path) has no state of this name.",
            hint: "There are: \(names).")
    }

    /// What is wrong with a message that a caller publishes.
    func errors(in message: JSONValue, of rule: ChannelRule) -> [JSONSchemaError] {
        messageSchemas[rule.pattern.text]?.errors(in: message) ?? []
    }

    /// The sessions, if this is their path.
    func sessions(at path: String) -> ServedSessions? {
        sessions?.rule.entityPath == path ? sessions : nil
    }

    /// The configuration, if the pack has one and this is its path.
    func configuration(at path: String) -> ServedConfiguration? {
        path == ServedConfiguration.path ? configuration : nil
    }

    func entity(_ path: String) throws(Problem) -> ServedEntity {
        if let entity = entities[path] { return entity }
        throw Problem(
            .unknownEntity, "The pack \(pack.name) has no entity of this name.",
            hint: "There are: \(pack.entities.map(\.path).joined(separator: ", ")).")
    }
}

/// An entity and what is prepared for it.
final class ServedEntity: Sendable {
    let entity: Entity
    let pack: String
    let statements: EntityStatements
    private let isKeyUUID: Bool
    private let isOwnerUUID: Bool

    init(_ entity: Entity, pack: String) {
        self.entity = entity
        self.pack = pack
        statements = EntityStatements(entity, pack: pack)
        isKeyUUID = entity.column(entity.keyColumn)?.baseType == "uuid"
        isOwnerUUID = entity.ownerColumn.flatMap { entity.column($0) }?.baseType == "uuid"
    }

    /// Whether a row could have this key at all. Only UUIDs are looked at.
    func canBeKey(_ id: String) -> Bool {
        !isKeyUUID || isUUID(id)
    }

    /// The key as PostgreSQL writes it: UUIDs in lower case.
    func canonicalKey(_ id: String) -> String { isKeyUUID ? id.lowercased() : id }

    /// - Throws: 404 if no row could have this key.
    func requireKeyType(_ id: String) throws(Problem) {
        if canBeKey(id) { return }
        throw Problem(.notFound, "The id is not a UUID, so no row of \(entity.path) has it.")
    }

    /// - Throws: 400 if no row could have this owner.
    func requireOwnerType(_ owner: String?) throws(Problem) {
        guard let owner, isOwnerUUID, !isUUID(owner) else { return }
        throw Problem(
            .invalidHeader, "Fourfold-User must be an owner's id, a UUID.",
            errors: [FieldError("Fourfold-User", "is not a valid uuid")])
    }

    /// The path of one row, for `Location`.
    func location(key: String) -> String {
        "/v1/\(pack)/\(entity.path)/\(percentEncodeSegment(key))"
    }
}

/// A text as one segment of a path (RFC 3986 §3.3: everything but unreserved is encoded).
func percentEncodeSegment(_ text: String) -> String {
    if text.utf8.allSatisfy(isUnreserved) { return text }
    let digits = Array("0123456789ABCDEF".unicodeScalars)
    var encoded = ""
    for byte in text.utf8 {
        if isUnreserved(byte) {
            encoded.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
            encoded.unicodeScalars.append("%")
            encoded.unicodeScalars.append(digits[Int(byte >> 4)])
            encoded.unicodeScalars.append(digits[Int(byte & 15)])
        }
    }
    return encoded
}

private func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "~"):
        true
    default: false
    }
}
