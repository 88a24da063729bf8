/// The lane's cursor as Redis keeps it.
package struct LiveCursor: Equatable, Sendable {
    package var lane: LaneCursor
    /// How much of the page behind `lane` is told: the mark of the last step; empty for nothing.
    package var mark = ""

    package init(_ lane: LaneCursor, mark: String = "") {
        self.lane = lane
        self.mark = mark
    }

    /// The first transaction that none of its snapshots knows of; nil for what is no snapshot.
    var end: UInt64? {
        guard let done = SnapshotOrder(lane.done) else { return nil }
        guard let text = lane.goal else { return done.end }
        return SnapshotOrder(text).map { max(done.end, $0.end) }
    }

    package enum Order: Sendable { case behind, level, ahead }

    /// How Redis' copy stands to PostgreSQL's. Of one life of one database.
    package func compared(to other: LaneCursor) -> Order {
        let done = SnapshotOrder(lane.done)
        let otherDone = SnapshotOrder(other.done)
        guard let done, let otherDone else { return .behind }
        if done != otherDone { return done < otherDone ? .behind : .ahead }
        guard let otherText = other.goal, let otherGoal = SnapshotOrder(otherText) else {
            return lane.goal == nil ? .level : .ahead
        }
        guard let text = lane.goal, let goal = SnapshotOrder(text), !(goal < otherGoal) else {
            return .behind
        }
        let place = (UInt64(lane.xid) ?? 0, lane.position)
        let otherPlace = (UInt64(other.xid) ?? 0, other.position)
        if place == otherPlace { return mark.isEmpty ? .level : .ahead }
        return place < otherPlace ? .behind : .ahead
    }
}

/// Snapshots of one database in the order in which they were taken: each sees what those before it
/// see.
struct SnapshotOrder: Comparable {
    let end: UInt64
    private let begin: UInt64
    private let runningCount: Int

    /// - Parameter text: `xmin:xmax:xip,…`, as PostgreSQL writes a `pg_snapshot`.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let begin = UInt64(parts[0]), let end = UInt64(parts[1]) else {
            return nil
        }
        self.begin = begin
        self.end = end
        runningCount = parts[2].split(separator: ",").count
    }

    static func < (left: SnapshotOrder, right: SnapshotOrder) -> Bool {
        if left.end != right.end { return left.end < right.end }
        if left.begin != right.begin { return left.begin < right.begin }
        return left.runningCount > right.runningCount
    }
}
