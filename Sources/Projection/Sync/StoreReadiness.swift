internal import Packs
internal import Postgres
internal import Runtime

/// Whether a store can answer for PostgreSQL yet: one that is new, or was emptied, is being filled.
struct StoreReadiness: Sendable {
    /// What an answer says in its place while the store is filled.
    static let reconciling = "reconciling"

    /// The lane is making the store equal to the views.
    var isReconciling = false
    /// The vectors that are kept were made by another model.
    var isOfOtherModel = false

    static func graph(
        pack: Pack, _ postgres: PostgresClient, deadline: Deadline
    ) async -> StoreReadiness {
        await read(lane, [.text(pack.name), .text(LaneName.graph.rawValue)], postgres, deadline)
    }

    static func vectors(
        pack: Pack, model: EmbeddingModel, _ postgres: PostgresClient, deadline: Deadline
    ) async -> StoreReadiness {
        let parameters: [Parameter] = [
            .text(pack.name), .text(LaneName.vector.rawValue), .text(model.name),
            .text(model.version),
        ]
        return await read(vectorLane, parameters, postgres, deadline)
    }

    /// Where PostgreSQL does not answer the caller learns it from what is read next.
    private static func read(
        _ statement: Statement, _ parameters: [Parameter], _ postgres: PostgresClient,
        _ deadline: Deadline
    ) async -> StoreReadiness {
        guard
            let row = try? await postgres.query(statement, parameters, deadline: deadline)
        else { return StoreReadiness() }
        return StoreReadiness(
            isReconciling: row.bool(0, 0) ?? false, isOfOtherModel: row.bool(0, 1) ?? false)
    }

    /// `$1` a pack, `$2` a lane. Null where no lane was ever led: another process may fill the
    /// store.
    private static let resync =
        "(SELECT l.resync FROM fourfold.lanes AS l WHERE l.pack = $1 AND l.lane = $2)"

    private static let lane = Statement(
        "readiness_lane", "SELECT \(resync), false", isReadOnly: true)
    /// One kept vector tells of all: the lane never mixes models.
    private static let vectorLane = Statement(
        "readiness_vector_lane",
        """
        SELECT \(resync), (
            SELECT (v.model, v.version) <> ($3, $4) FROM fourfold.entity_vectors AS v
            WHERE v.pack = $1 LIMIT 1)
        """, isReadOnly: true)
}
