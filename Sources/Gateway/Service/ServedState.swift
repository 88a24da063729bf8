internal import JSON
internal import Live
internal import Packs

/// A state and what is prepared for it. Made once, shared by all loops.
final class ServedState: Sendable {
    let rule: StateRule
    let entity: ServedEntity
    let scripts: StateScripts
    let schema: JSONSchema?
    let template: MessageTemplate
    let limits: StateLimits
    /// The stream of its history; nil without one.
    let stream: String?
    let history: HistorySQL?
    private let isKeyUUID: Bool

    init(_ rule: StateRule, _ entity: ServedEntity, _ pack: Pack, _ limits: LiveLimits) {
        self.rule = rule
        self.entity = entity
        self.limits = limits.states
        // What does not compile was refused when the pack was loaded.
        schema = rule.schema.flatMap { try? JSONDocument.parse($0) }
            .flatMap { JSONSchema.compile($0.root).schema }
        template = rule.message.flatMap { MessageTemplate.parse($0).template } ?? .body
        scripts = StateScripts(
            rule, template: template, pack: entity.pack, states: limits.states,
            channels: limits.channels)
        stream = rule.history.map { _ in
            StateHistoryKeys.stream(pack: entity.pack, state: rule.name)
        }
        history = HistorySQL(rule, pack)
        isKeyUUID = entity.entity.column(entity.entity.keyColumn)?.baseType == "uuid"
    }

    /// The id as it stands in keys: one row has one key, however its UUID is written.
    ///
    /// - Throws: 404 if no row could have this id.
    func canonical(_ id: String) throws(Problem) -> String {
        try entity.requireKeyType(id)
        let id = isKeyUUID ? id.lowercased() : id
        guard KeyPattern.isValue(id) else {
            throw Problem(.notFound, "The id cannot be part of a key.")
        }
        return id
    }

    /// The path of one row's state.
    func location(id: String) -> String { "\(entity.location(key: id))/state/\(rule.name)" }

    var allowedMethods: [String] {
        switch rule.kind {
        case .object, .word: ["GET", "HEAD", "PUT", "DELETE"]
        case .list, .counter: ["GET", "HEAD", "PUT", "POST", "DELETE"]
        }
    }
}
