package import HTTPClient
internal import JSON
package import Neo4j
package import Packs
package import Postgres
package import Runtime
package import Weaviate

/// Answers questions about lanes: tokens, one entity's state, the status of all. One for each loop
/// that serves requests.
package final class SyncReader: @unchecked Sendable {
    /// How often a waiting read asks the database when another process leads the lane.
    private static let tokenPollPeriod = Duration.milliseconds(20)
    /// A store gets this share of the time that is left: without it there still is an answer.
    private static let storeShare = 0.6

    private let loop: EventLoop
    private let postgres: PostgresClient
    private let neo4j: Neo4jClient?
    private let weaviate: WeaviateClient?
    private let progress: LaneProgress
    /// Made of packs, by their names.
    private var sources: [String: Parameter] = [:]
    private var cypher: [String: GraphCypher] = [:]

    /// - Parameters:
    ///   - neo4j, weaviate: Clients of the same loop; nil where the store is not configured.
    package init(
        loop: EventLoop, postgres: PostgresClient, neo4j: Neo4jClient?, weaviate: WeaviateClient?,
        progress: LaneProgress
    ) {
        self.loop = loop
        self.postgres = postgres
        self.neo4j = neo4j
        self.weaviate = weaviate
        self.progress = progress
    }

    /// Whether there is nothing that could lag: the embedded graph reads the views themselves.
    package func readsViews(_ lane: LaneName) -> Bool { lane == .graph && neo4j == nil }

    // MARK: Tokens

    /// Whether a lane has applied the write with this transaction id.
    ///
    /// - Parameter xid: Decimal digits, as the write answered them.
    package func hasApplied(
        _ xid: String, pack: Pack, lane: LaneName, deadline: Deadline
    ) async throws(PostgresError) -> Bool {
        if readsViews(lane) { return true }
        guard UInt64(xid) != nil else { return true }
        let result = try await postgres.query(
            SyncReader.hasApplied,
            [
                .text(pack.name), .text(lane.rawValue), .text(xid),
                sources(of: lane, pack),
            ], deadline: deadline)
        return result.bool(0, 0) ?? false
    }

    private func sources(of lane: LaneName, _ pack: Pack) -> Parameter {
        let name = "\(pack.name)/\(lane.rawValue)"
        if let known = sources[name] { return known }
        let made = Parameter.textArray(pack.sources(of: lane))
        sources[name] = made
        return made
    }

    /// Waits until the lane has applied the write, at most until `end`.
    package func waitUntilApplied(
        _ xid: String, pack: Pack, lane: LaneName, until end: Deadline, deadline: Deadline
    ) async throws(PostgresError) -> Bool {
        if try await hasApplied(xid, pack: pack, lane: lane, deadline: deadline) { return true }
        let wakeup = Wakeup(loop: loop)
        progress.add(wakeup, on: loop)
        defer { progress.remove(wakeup) }
        while true {
            if try await hasApplied(xid, pack: pack, lane: lane, deadline: deadline) {
                return true
            }
            if end.hasPassed || Task.isCancelled { return false }
            _ = await wakeup.wait(for: min(end.remaining, SyncReader.tokenPollPeriod))
        }
    }

    // MARK: One entity

    /// How one entity stands in a lane.
    package struct EntityState: Sendable {
        /// `applied`, `pending`, `parked` or `absent`.
        package var state: String
        package var revision: Int64?
        /// RFC 3339.
        package var appliedAt: String?
        package var error: String?
    }

    /// Nil if the lane does not project the entity. The revision and the time are the store's; they
    /// are nil when it cannot be asked.
    package func state(
        pack: Pack, lane: LaneName, entity: String, key: String, deadline: Deadline
    ) async throws(PostgresError) -> EntityState? {
        guard lane != .live, pack.projects(entity, in: lane) else { return nil }
        if readsViews(lane) { return EntityState(state: "applied") }
        let result = try await postgres.query(
            SyncReader.entityState,
            [.text(pack.name), .text(lane.rawValue), .text(entity), .text(key)],
            deadline: deadline)
        var state = EntityState(
            state: result.string(0, 0) ?? "pending", error: result.string(0, 1))
        switch lane {
        case .graph: try await addGraph(&state, pack, entity, key, deadline)
        case .vector:
            let kept = try await postgres.query(
                SyncReader.keptVector,
                [
                    .text(pack.name), .text(key),
                    .textArray(pack.classes(of: entity).map(\.name)),
                ], deadline: deadline)
            if kept.rowCount > 0 {
                state.revision = kept.int(0, 0)
                state.appliedAt = kept.string(0, 1)
            } else if state.state == "applied" {
                state.state = "absent"
            }
        case .live: break
        }
        return state
    }

    private func addGraph(
        _ state: inout EntityState, _ pack: Pack, _ entity: String, _ key: String,
        _ deadline: Deadline
    ) async throws(PostgresError) {
        guard let graph = pack.graph, let neo4j,
            let cypher = try? self.cypher[pack.name] ?? GraphCypher(pack: pack.name, graph: graph)
        else { return }
        self.cypher[pack.name] = cypher
        var parameters = JSONWriter()
        parameters.beginObject()
        parameters.field("key", key)
        parameters.endObject()
        let isNode = graph.nodes.contains { $0.entityPath == entity }
        let statement = isNode ? cypher.nodeState : cypher.edgeState(anchor: entity, graph)
        guard
            let result = try? await neo4j.run(
                statement, parameters: parameters.bytes, access: .read,
                deadline: .after(deadline.remaining * SyncReader.storeShare))
        else { return }
        if let row = result.rows.elements.first(where: { _ in true }) {
            let cells = Array(row.elements)
            state.revision = cells.first?.int
            state.appliedAt = cells.last?.string
        } else if state.state == "applied" {
            state.state = "absent"
        }
    }

    // MARK: All lanes

    /// A line of `/v1/sync/status`.
    package struct LaneStatus: Sendable {
        package var pack: String
        package var lane: LaneName
        package var store: String
        /// `running`, `idle`, `waiting` or `stopped`.
        package var state: String
        package var leader: String?
        /// Counted up to 10,000.
        package var pending: Int64
        package var lagSeconds: Double
        package var parked: Int64
        package var breaker: CircuitBreaker.State
        package var applied: Int64
        package var lastError: String?
    }

    /// - Parameter local: What ``Relay/localLanes()`` says; empty where this process runs no lanes.
    package func status(
        packs: [Pack], local: [Relay.LocalLane], deadline: Deadline
    ) async throws(PostgresError) -> [LaneStatus] {
        var lines: [LaneStatus] = []
        for pack in packs {
            for lane in LaneName.allCases where isConfigured(lane, pack) {
                let row = try await postgres.query(
                    SyncReader.laneStatus, [.text(pack.name), .text(lane.rawValue)],
                    deadline: deadline)
                let here = local.first { $0.pack == pack.name && $0.lane == lane }
                lines.append(line(pack, lane, row, here))
            }
        }
        return lines
    }

    private func isConfigured(_ lane: LaneName, _ pack: Pack) -> Bool {
        switch lane {
        case .graph: pack.graph != nil && neo4j != nil
        case .vector: !(pack.vectors?.classes.isEmpty ?? true)
        case .live: !pack.live.followedEntities.isEmpty
        }
    }

    /// Its name, and its breaker where this reader has one.
    private func store(of lane: LaneName) -> (name: String, breaker: CircuitBreaker.State?) {
        switch lane {
        case .graph: ("neo4j", neo4j?.breakerState)
        case .vector: (weaviate == nil ? "postgres" : "weaviate", weaviate?.breakerState)
        case .live: ("redis", nil)
        }
    }

    private func line(
        _ pack: Pack, _ lane: LaneName, _ row: PostgresResult, _ here: Relay.LocalLane?
    ) -> LaneStatus {
        let (store, known) = store(of: lane)
        let breaker = here?.breaker ?? known
        var status = LaneStatus(
            pack: pack.name, lane: lane, store: store, state: "stopped", leader: nil, pending: 0,
            lagSeconds: 0, parked: 0, breaker: breaker ?? .closed, applied: 0,
            lastError: here?.lastError?.code)
        guard row.rowCount > 0 else {
            if here != nil { status.state = "waiting" }
            return status
        }
        let isLed = row.bool(0, 1) ?? false
        status.leader = isLed ? row.string(0, 0) : nil
        status.pending = row.int(0, 3) ?? 0
        status.lagSeconds = row.string(0, 4).flatMap { Double($0) } ?? 0
        status.parked = row.int(0, 5) ?? 0
        status.applied = row.int(0, 6) ?? 0
        status.lastError = here?.lastError?.code ?? row.string(0, 7)
        let isResyncing = row.bool(0, 2) ?? false
        status.state = state(here, isLed, isBusy: isResyncing || status.pending > 0, status)
        return status
    }

    private func state(
        _ here: Relay.LocalLane?, _ isLed: Bool, isBusy: Bool, _ status: LaneStatus
    ) -> String {
        if let here, here.isLeading || !isLed {
            switch here.state {
            case .stopped: return "stopped"
            case .waiting, .lost, .claiming: return "waiting"
            case .connecting, .readingPage, .applying: return isBusy ? "running" : "idle"
            case .idle: return "idle"
            }
        }
        guard isLed else { return "stopped" }
        if status.lastError != nil { return "waiting" }
        return isBusy ? "running" : "idle"
    }

    // MARK: Statements

    private static let hasApplied = Statement(
        "sync_has_applied", "SELECT fourfold.lane_has_applied($1, $2, $3::text::xid8, $4::text[])",
        isReadOnly: true)
    private static let entityState = Statement(
        "sync_entity_state",
        """
        SELECT fourfold.entity_state($1, $2, $3, $4), (
            SELECT p.error FROM fourfold.parked AS p
            WHERE p.pack = $1 AND p.lane = $2 AND p.entity = $3 AND p.key = $4)
        """, isReadOnly: true)
    private static let keptVector = Statement(
        "sync_kept_vector",
        """
        SELECT revision, fourfold.rfc3339(embedded_at) FROM fourfold.entity_vectors
        WHERE pack = $1 AND key = $2 AND class = ANY ($3::text[])
        """, isReadOnly: true)
    private static let laneStatus = Statement(
        "sync_lane_status",
        """
        SELECT leader, is_led, resync, pending, lag_seconds, parked, applied, last_error
        FROM fourfold.lane_status($1, $2)
        """, isReadOnly: true)
}
