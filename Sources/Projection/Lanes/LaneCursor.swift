internal import Postgres

/// How far a lane is, as `fourfold.lanes` keeps it. Snapshots and xids stay PostgreSQL's texts.
package struct LaneCursor: Equatable, Sendable {
    /// What this snapshot sees is in the store.
    package var done: String
    /// What the lane works towards; nil between goals.
    package var goal: String?
    package var xid = "0"
    package var position: Int64 = 0

    package init(done: String, goal: String? = nil, xid: String = "0", position: Int64 = 0) {
        self.done = done
        self.goal = goal
        self.xid = xid
        self.position = position
    }

    /// Parameters 1...5 of `outbox_page`, after the pack.
    func parameters(pack: String) -> [Parameter] {
        [
            .text(pack), .text(done), goal.map { .text($0) } ?? .null, .text(xid),
            .int(position),
        ]
    }
}

/// A page that was read: what is dirty, and the state of the first keys.
struct LanePage<Work: Sendable>: Sendable {
    let revision: Int64
    let goal: String
    let lastXID: String
    let lastPosition: Int64
    let rowCount: Int
    /// No row of the goal is left.
    let isLast: Bool
    /// Entities to be reconciled.
    let resyncs: Set<String>
    let chunks: [LaneChunk]
    /// Of the first chunk, read in the page's own snapshot.
    let firstWork: Work?
    /// For parking.
    let origins: PageOrigins

    /// Where the lane stands when the page is applied.
    func cursorAfter(_ cursor: LaneCursor) -> LaneCursor {
        isLast
            ? LaneCursor(done: goal)
            : LaneCursor(done: cursor.done, goal: goal, xid: lastXID, position: lastPosition)
    }
}
