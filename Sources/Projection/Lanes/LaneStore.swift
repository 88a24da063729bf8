package import HTTPClient
package import Postgres
package import Runtime

/// The lanes of a pack.
package enum LaneName: String, Sendable, CaseIterable {
    case graph, vector, live

    /// Those that make a store equal to rows; the live lane only tells what happened to them.
    package static let projections: [LaneName] = [.graph, .vector]
}

/// Keys to be made equal to the views, few enough to be read and written at once.
package struct LaneChunk: Sendable {
    /// By entity path; nodes are written before edges whatever the order.
    package var entities: [(path: String, keys: DirtyKeys)]
    package var parts: Parts
    /// What happened to rows, in order; only for a store that tells it.
    package var changes: [RowChange] = []

    /// What of the entities' projections is meant.
    package enum Parts: Sendable {
        case all
        case nodes(label: String)
        case edges(set: String)
    }

    package init(_ entities: [(path: String, keys: DirtyKeys)], parts: Parts = .all) {
        self.entities = entities
        self.parts = parts
    }

    package var keyCount: Int { entities.reduce(0) { $0 + $1.keys.keys.count } }

    /// Two chunks with half of the keys each.
    package var halves: [LaneChunk] {
        var first = LaneChunk([], parts: parts)
        var second = first
        var room = keyCount / 2
        for (path, keys) in entities {
            let pieces = keys.split(at: min(room, keys.keys.count))
            room -= pieces.first.keys.count
            if !pieces.first.isEmpty { first.entities.append((path, pieces.first)) }
            if !pieces.second.isEmpty { second.entities.append((path, pieces.second)) }
        }
        return [first, second]
    }
}

/// A key that the store refuses.
package struct PoisonKey: Hashable, Sendable {
    package var entity: String
    package var key: String
    /// A code, never a row's value.
    package var code: String
}

/// A right to write: one page of one leader.
package struct LanePermit: Sendable {
    package let epoch: Int64
    /// Drawn before any view was read for the page.
    package let revision: Int64
    /// Throws when the lease is lost. Asked before every request to the store.
    package let check: @Sendable () throws(LaneError) -> Void
    /// Asks the database whether the lease still is ours: for stores without a fence.
    package let confirm: @Sendable () async throws(LaneError) -> Void
    /// How often this page has failed: a server fault that comes back may be the fault of a row.
    package var failureCount = 0
    /// Where the lane stands after the page; nil outside of pages.
    package var next: LaneCursor?

    package init(
        epoch: Int64, revision: Int64, check: @escaping @Sendable () throws(LaneError) -> Void,
        confirm: @escaping @Sendable () async throws(LaneError) -> Void
    ) {
        self.epoch = epoch
        self.revision = revision
        self.check = check
        self.confirm = confirm
    }
}

/// One pass of a reconciliation: a stream of keys of one entity, in pages.
package struct ResyncStep: Sendable {
    /// Unique in the lane and stable: a resynchronisation goes on at the step it names.
    package var name: String
    package var entity: String
    package var parts: LaneChunk.Parts
    package var source: Source

    package enum Source: Sendable {
        /// Keys in the view's order: `first` takes `$1` a number, `next` `$1` a key, `$2` a number.
        case view(first: Statement, next: Statement)
        /// What the store has; `absent` selects those that the view lacks (`$1` the keys, `$2` the
        /// same as text).
        case store(absent: Statement)
    }

    /// It looks for what the store has and the views lack.
    var isSweep: Bool {
        if case .store = source { true } else { false }
    }
}

/// Writes one lane's projection into a store. Belongs to a loop.
package protocol LaneStore: AnyObject, Sendable {
    /// What was read from the views for a chunk.
    associatedtype Work: Sendable

    var name: LaneName { get }
    /// `neo4j`, `weaviate`, `postgres` or `redis`.
    var storeName: String { get }
    /// Entities whose rows the lane projects.
    var entities: Set<String> { get }
    var breakerState: CircuitBreaker.State { get }
    /// A request whose outcome is unknown can do harm later: the store has no fence.
    var mustRepeatAfterTakeover: Bool { get }
    var resyncSteps: [ResyncStep] { get }
    /// The store is told what happened, a page at a time, even if it was nothing.
    var tellsChanges: Bool { get }

    /// A text that changes when the store becomes another one, and the highest revision it saw.
    func identify(deadline: Deadline) async throws(LaneError) -> (identity: String, revision: Int64)

    /// Nothing is left for ``prepareNext(deadline:)``.
    var isPrepared: Bool { get }

    /// Does one thing that will save time later. Whatever the lane does meanwhile does not wait
    /// for it.
    func prepareNext(deadline: Deadline) async

    /// Shuts out every leader with a lower revision.
    func raiseFence(_ permit: LanePermit, deadline: Deadline) async throws(LaneError)

    /// Where the lane goes on, after the fence was raised: a store that keeps a cursor of its own
    /// may be ahead of PostgreSQL.
    ///
    /// - Parameter isNew: The lane was resynchronised; what the store keeps means nothing.
    func resume(
        at cursor: LaneCursor, isNew: Bool, _ permit: LanePermit, deadline: Deadline
    ) async throws(LaneError) -> LaneCursor

    /// Everything of an entity may have changed, or of all entities: what ``resyncSteps`` cannot
    /// say.
    func reconcile(
        _ entity: String?, _ permit: LanePermit, deadline: Deadline
    ) async throws(LaneError)

    /// Reads the views. Inside a transaction, whose snapshot sees what made the keys dirty.
    func read(_ chunk: LaneChunk, on connection: PostgresConnection) async throws -> Work

    /// The same for a chunk that cannot be cut, leaving out rows whose views cannot be read.
    func readCarefully(
        _ chunk: LaneChunk, on connection: PostgresConnection
    ) async throws -> Work

    /// Makes the store equal to what was read.
    ///
    /// - Returns: The keys that the store refuses; everything else is applied.
    func apply(
        _ work: Work, _ permit: LanePermit, deadline: Deadline
    ) async throws(LaneError) -> [PoisonKey]

    /// The store has nothing of ours: a new one, where sweeps would find nothing.
    func holdsNothing(deadline: Deadline) async throws(LaneError) -> Bool

    /// Keys of ours that the store has for a step.
    func storeKeys(
        _ step: ResyncStep, after: String, limit: Int, deadline: Deadline
    ) async throws(LaneError) -> (keys: [String], last: String?)
}

extension LaneStore {
    package var tellsChanges: Bool { false }

    package var isPrepared: Bool { true }

    package func prepareNext(deadline: Deadline) async {}

    package func readCarefully(
        _ chunk: LaneChunk, on connection: PostgresConnection
    ) async throws -> Work {
        try await read(chunk, on: connection)
    }

    package func resume(
        at cursor: LaneCursor, isNew: Bool, _ permit: LanePermit, deadline: Deadline
    ) async throws(LaneError) -> LaneCursor { cursor }

    package func reconcile(
        _ entity: String?, _ permit: LanePermit, deadline: Deadline
    ) async throws(LaneError) {}

    package func holdsNothing(deadline: Deadline) async throws(LaneError) -> Bool { false }
}
