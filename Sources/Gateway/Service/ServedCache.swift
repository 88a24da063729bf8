internal import Live
internal import Packs

/// A cache and what is prepared for it. Made once, shared by all loops.
final class ServedCache: Sendable {
    let source: CacheSource
    let entity: ServedEntity
    private let isKeyUUID: Bool

    init(_ rule: CacheRule, _ entity: ServedEntity, _ pack: Pack) {
        self.entity = entity
        source = CacheSource(
            rule, schema: entity.entity.schema, ownerMember: pack.ownerColumn,
            isOwned: entity.entity.ownerColumn != nil)
        isKeyUUID = entity.entity.column(entity.entity.keyColumn)?.baseType == "uuid"
    }

    /// The id as it stands in keys.
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
}
