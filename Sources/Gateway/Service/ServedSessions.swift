internal import Live
internal import Packs

/// The sessions of a pack and what is prepared for them.
final class ServedSessions: Sendable {
    let rule: SessionRule
    /// The session's entity; the columns that the gateway writes are generated to callers.
    let served: ServedEntity
    let owner: ServedEntity
    let sql: SessionSQL

    /// - Returns: nil for a pack without sessions.
    init?(_ pack: Pack) {
        guard let rule = pack.live.sessions, var entity = pack.sessionEntity,
            let owner = pack.ownerPath.flatMap(pack.entity), let sql = SessionSQL(pack)
        else { return nil }
        self.rule = rule
        self.sql = sql
        for (index, column) in entity.columns.enumerated() where rule.isOurs(column, of: entity) {
            entity.columns[index].isGenerated = true
        }
        served = ServedEntity(entity, pack: pack.name)
        self.owner = ServedEntity(owner, pack: pack.name)
    }
}
