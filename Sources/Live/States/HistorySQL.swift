package import Packs
package import Postgres

/// The statements of one state's history. Nil where the pack has not what the rule names, which
/// the compiler of packs tells.
package struct HistorySQL: Sendable {
    /// `$1` pack, `$2` state, `$3` identity of Redis: the id of the last entry that is here.
    package let cursor: Statement
    /// `$1` to `$6`: pack, state, identity, last id, next id, rows; see `fourfold.drain_history`.
    package let drain: Statement
    /// `$1` pack, `$2` state, `$3` a row, `$4` a number: see `fourfold.sweep_state_marks`.
    package let sweep: Statement
    /// `$1` pack, `$2` state, `$3` row: the newest value as JSON; no row where there is none.
    package let restore: Statement

    package init?(_ rule: StateRule, _ pack: Pack) {
        guard let history = rule.history, let entity = pack.entity(history.entityPath),
            let owner = entity.ownerColumn.flatMap({ entity.column($0) }),
            let time = entity.column(history.timeColumn)
        else { return nil }
        let name = "\(pack.name)-\(rule.name)"
        cursor = Statement(
            "history.cursor \(name)",
            """
            WITH added AS (INSERT INTO fourfold.history_cursors (pack, state, redis_identity) \
            VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING last_id) \
            SELECT last_id FROM added UNION ALL SELECT last_id FROM fourfold.history_cursors \
            WHERE pack = $1 AND state = $2 AND redis_identity = $3
            """)
        let insert = quoteSQLLiteral(HistorySQL.insert(entity, owner: owner, time: time))
        drain = Statement(
            "history.drain \(name)",
            "SELECT fourfold.drain_history($1, $2, $3, $4, $5, \(insert), $6::jsonb)")
        let kept = quoteSQLLiteral(
            """
            SELECT r FROM unnest($1::text[]) AS r WHERE EXISTS (SELECT FROM \
            \(entity.qualifiedName) AS h \
            WHERE h.\(quoteSQLIdentifier(owner.name)) = r::\(owner.baseType))
            """)
        sweep = Statement(
            "history.sweep \(name)",
            "SELECT fourfold.sweep_state_marks($1, $2, $3, $4::int, \(kept))")
        restore = Statement(
            "history.restore \(name)", HistorySQL.restore(entity, owner: owner, time: time),
            isReadOnly: true)
    }

    /// Members become columns; the columns of absent members get their defaults.
    private static func insert(_ entity: Entity, owner: Column, time: Column) -> String {
        let columns = entity.columns.filter { !$0.isGenerated }
        let values = columns.map { column in
            let name = quoteSQLIdentifier(column.name)
            switch column.name {
            case owner.name: return "(e ->> 'r')::\(owner.baseType)"
            case time.name: return "fourfold.stream_time(e ->> 'i')::\(time.baseType)"
            case entity.keyColumn: return column.defaultExpression ?? "n.\(name)"
            default:
                guard let expression = column.defaultExpression else { return "n.\(name)" }
                let member = quoteSQLLiteral(column.name)
                return "CASE WHEN e -> 'v' ? \(member) THEN n.\(name) ELSE \(expression) END"
            }
        }
        let names = columns.map { quoteSQLIdentifier($0.name) }.joined(separator: ", ")
        return """
            INSERT INTO \(entity.qualifiedName) (\(names)) \
            SELECT \(values.joined(separator: ", ")) FROM jsonb_array_elements($1) AS e \
            CROSS JOIN LATERAL jsonb_populate_record(NULL::\(entity.qualifiedName), e -> 'v') AS n
            """
    }

    private static func restore(_ entity: Entity, owner: Column, time: Column) -> String {
        let hidden: Set = [entity.keyColumn, owner.name, time.name]
        let members = entity.visibleColumns.filter { !hidden.contains($0.name) }
            .map { "\(quoteSQLLiteral($0.name)), h.\(quoteSQLIdentifier($0.name))" }
        let (owned, at) = (quoteSQLIdentifier(owner.name), quoteSQLIdentifier(time.name))
        return """
            SELECT coalesce((SELECT jsonb_object_agg(m.key, m.value) \
            FROM jsonb_each(jsonb_build_object(\(members.joined(separator: ", ")))) AS m \
            WHERE CASE WHEN s.written_at = h.\(at) THEN m.key = ANY (s.members) \
            ELSE m.value <> 'null' END), '{}')::text \
            FROM \(entity.qualifiedName) AS h LEFT JOIN fourfold.state_marks AS s \
            ON s.pack = $1 AND s.state = $2 AND s.row_id = h.\(owned)::text \
            WHERE h.\(owned) = $3::\(owner.baseType) AND (s.written_at IS NULL \
            OR s.members IS NOT NULL OR h.\(at) > s.written_at) \
            ORDER BY h.\(at) DESC LIMIT 1
            """
    }
}
