import Neo4j
import Packs
import Postgres
import Projection
import Runtime
import Testing

extension StoreTests {
    @Suite("Lane safety")
    struct LaneSafetyTests {}
}

/// The interleavings that a projection must survive, each with its own order of events.
extension StoreTests.LaneSafetyTests {
    @Test("the fence refuses a batch of an earlier revision, even of an edge deleted since")
    func fence() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(
                """
                INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a'), ('\(id(2))', 'b');
                INSERT INTO ptest.links (id, type, from_id, to_id)
                VALUES ('\(id(9))', 'PTEST_NEAR', '\(id(1))', '\(id(2))');
                """)
            let store = try fixture.graphStore()
            _ = try await store.identify(deadline: .after(.seconds(60)))
            try await store.raiseFence(permit(10), deadline: .after(.seconds(20)))
            let keys: [(path: String, keys: DirtyKeys)] = [
                ("things", DirtyKeys(changed: [id(1), id(2)])),
                ("links", DirtyKeys(changed: [id(9)])),
            ]
            let paused = try await fixture.read(LaneChunk(keys), store)
            let poison = try await store.apply(paused, permit(10), deadline: .after(.seconds(20)))
            #expect(poison.isEmpty)
            #expect(try await fixture.edges() == ["a-PTEST_NEAR-b"])

            try await fixture.sql(
                "DELETE FROM ptest.links; UPDATE ptest.things SET name = 'a2' WHERE name = 'a'")
            try await store.raiseFence(permit(11), deadline: .after(.seconds(20)))
            let current = try await fixture.read(LaneChunk(keys), store)
            _ = try await store.apply(current, permit(11), deadline: .after(.seconds(20)))
            #expect(try await fixture.edges() == [])

            let refused = await laneError {
                _ = try await store.apply(paused, permit(10), deadline: .after(.seconds(20)))
            }
            #expect(refused?.code == "lease_lost")
            #expect(try await fixture.edges() == [])
            #expect(try await fixture.names() == ["a2", "b"])
            let late = await laneError {
                try await store.raiseFence(permit(10), deadline: .after(.seconds(20)))
            }
            #expect(late?.code == "lease_lost")
        }
    }

    @Test("a leader that was paused wakes up: it writes nothing and does not move the cursor")
    func pausedLeader() async throws {
        try await ProjectionFixture.run { fixture in
            let probe = HoldingProbe(loop: fixture.loop)
            var configuration = ProjectionFixture.configuration
            configuration.lease = .milliseconds(600)
            configuration.leaseRenewPeriod = .seconds(3_600)
            let paused = try fixture.graphLane(holder: "paused", configuration, probe: probe)
            paused.start()
            try await fixture.caughtUp()
            probe.hold()
            try await fixture.sql("INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'old')")
            try await fixture.eventually("the page was not read") { probe.isHolding }

            let next = try fixture.graphLane(holder: "next")
            next.start()
            try await fixture.sql("UPDATE ptest.things SET name = 'new'")
            try await fixture.eventually("nobody took over") {
                try await fixture.value(
                    "SELECT holder FROM fourfold.lanes WHERE lane = 'graph'") == "next"
            }
            try await fixture.caughtUp()
            #expect(try await fixture.names() == ["new"])
            let done = try await fixture.value("SELECT done FROM fourfold.lanes")

            probe.release()
            try await fixture.eventually("the paused leader goes on") { paused.state == .lost }
            #expect(try await fixture.names() == ["new"])
            #expect(try await fixture.value("SELECT done FROM fourfold.lanes") == done)
            await paused.stop()
            await next.stop()
        }
    }

    @Test("a leader that still believes in a lease it has lost disturbs nobody")
    func disbelievingLeader() async throws {
        try await ProjectionFixture.run { fixture in
            var slow = ProjectionFixture.configuration
            slow.lease = .seconds(3_600)
            slow.leaseRenewPeriod = .seconds(3_600)
            // Its successor has drawn a revision and read the page before it looks for work.
            slow.pollPeriod = .milliseconds(500)
            let deposed = try fixture.graphLane(holder: "deposed", slow)
            deposed.start()
            try await fixture.caughtUp()
            try await fixture.sql("UPDATE fourfold.lanes SET expires_at = '-infinity'")
            let probe = HoldingProbe(loop: fixture.loop)
            let next = try fixture.graphLane(holder: "next", probe: probe)
            next.start()
            try await fixture.eventually("nobody took over") { next.state == .idle }

            probe.hold()
            try await fixture.sql("INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a')")
            try await fixture.eventually("the page was not read") { probe.isHolding }
            try await fixture.eventually("the deposed leader goes on") { deposed.state == .lost }
            #expect(try await fixture.names() == [])
            probe.release()
            try await fixture.caughtUp()
            #expect(try await fixture.names() == ["a"])
            #expect(
                try await fixture.value("SELECT holder || ' ' || epoch FROM fourfold.lanes")
                    == "next 2")
            await deposed.stop()
            await next.stop()
        }
    }

    @Test("a node is deleted beside the insert of an edge to it")
    func deleteBesideInsert() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(
                "INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a'), ('\(id(2))', 'b')")
            try await fixture.withGraphLane { _ in
                try await fixture.caughtUp()
                try await fixture.during(
                    """
                    INSERT INTO ptest.links (id, type, from_id, to_id)
                    VALUES ('\(id(9))', 'PTEST_NEAR', '\(id(1))', '\(id(2))')
                    """
                ) {
                    try await fixture.sql("DELETE FROM ptest.things WHERE name = 'b'")
                    try await fixture.eventually("the node stays") {
                        try await fixture.names() == ["a"]
                    }
                }
                try await fixture.caughtUp()
                #expect(try await fixture.names() == ["a"])
                #expect(try await fixture.edges() == [])
                #expect(
                    try await fixture.value("SELECT error FROM fourfold.parked")
                        == "edge_end_missing")
                // The end comes back: the parked edge finds it by itself.
                try await fixture.sql(
                    "INSERT INTO ptest.things (id, name) VALUES ('\(id(2))', 'b')")
                try await fixture.eventually("the edge does not come") {
                    try await fixture.edges() == ["a-PTEST_NEAR-b"]
                }
            }
        }
    }

    @Test("a tag is renamed while another transaction tags, in both orders of commit")
    func renamedTag() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(
                """
                INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a'), ('\(id(2))', 'b');
                INSERT INTO ptest.tags (id, name) VALUES ('\(id(5))', 'old');
                """)
            try await fixture.withGraphLane { _ in
                try await fixture.caughtUp()
                try await fixture.during(
                    "INSERT INTO ptest.taggings VALUES ('\(id(6))', '\(id(1))', '\(id(5))')"
                ) {
                    try await fixture.sql("UPDATE ptest.tags SET name = 'new'")
                    try await fixture.settled()
                }
                try await fixture.caughtUp()
                #expect(try await fixture.tags() == ["a: new", "b: "])
                try await fixture.during("UPDATE ptest.tags SET name = 'newer'") {
                    try await fixture.sql(
                        "INSERT INTO ptest.taggings VALUES ('\(id(7))', '\(id(2))', '\(id(5))')")
                    try await fixture.settled()
                }
                try await fixture.caughtUp()
                #expect(try await fixture.tags() == ["a: newer", "b: newer"])
            }
        }
    }

    @Test("a writer held open does not hold others up, and its rows are not skipped")
    func longWriter() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.withGraphLane { _ in
                try await fixture.caughtUp()
                try await fixture.during(
                    "INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'early')"
                ) {
                    for number in 2...6 {
                        try await fixture.sql(
                            """
                            INSERT INTO ptest.things (id, name)
                            VALUES ('\(id(number))', 'n\(number)')
                            """)
                        try await fixture.eventually("held up") {
                            try await fixture.names().contains("n\(number)")
                        }
                    }
                    #expect(try await !fixture.names().contains("early"))
                }
                try await fixture.caughtUp()
                #expect(try await fixture.names() == ["early", "n2", "n3", "n4", "n5", "n6"])
            }
        }
    }

    @Test("a graph that was emptied is noticed at the next write and filled again")
    func emptiedStore() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql("INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a')")
            try await fixture.withGraphLane { _ in
                try await fixture.caughtUp()
                try await fixture.cypher(
                    "MATCH (n:\(ProjectionFixture.keyLabel)) DETACH DELETE n")
                try await fixture.cypher("MATCH (n:Fence {id: 'ptest/graph'}) DELETE n")
                try await fixture.sql(
                    "INSERT INTO ptest.things (id, name) VALUES ('\(id(2))', 'b')")
                try await fixture.eventually("not filled") {
                    try await fixture.names() == ["a", "b"]
                }
                try await fixture.caughtUp()
            }
        }
    }

    @Test("a restored database raises its revisions and reconciles what the store has too much")
    func restoredDatabase() async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql(
                "INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a'), ('\(id(2))', 'b')")
            try await fixture.withGraphLane { _ in try await fixture.caughtUp() }
            try await fixture.cypher(
                "MATCH (f:Fence {id: 'ptest/graph'}) SET f.revision = 1000000")
            // As a restore of an older state would leave it.
            try await fixture.sql(
                """
                SET session_replication_role = replica;
                DELETE FROM ptest.things WHERE name = 'b';
                UPDATE fourfold.database SET identity = 'another';
                """)
            try await fixture.withGraphLane { _ in
                try await fixture.eventually("what is too much stays") {
                    try await fixture.names() == ["a"]
                }
                #expect(
                    try await fixture.value(
                        "SELECT last_value > 1000000 FROM fourfold.revision_seq") == "t")
                try await fixture.sql("UPDATE ptest.things SET name = 'again'")
                try await fixture.caughtUp()
                #expect(try await fixture.names() == ["again"])
            }
        }
    }

    @Test("tokens: of a projected write, of one that no lane projects, and waiting")
    func tokens() async throws {
        try await ProjectionFixture.run { fixture in
            let pack = ProjectionFixture.makePack()
            let progress = LaneProgress()
            let reader = SyncReader(
                loop: fixture.loop, postgres: fixture.postgres, neo4j: fixture.neo4j,
                weaviate: nil, progress: progress)
            try await fixture.sql("CREATE TABLE ptest.notes (id int)")
            let other = try await fixture.xid("INSERT INTO ptest.notes VALUES (1)")
            let own = try await fixture.xid(
                "INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a')")
            let soon = Deadline.after(.seconds(20))
            let lane = LaneName.graph
            #expect(try await !reader.hasApplied(own, pack: pack, lane: lane, deadline: soon))
            try await fixture.withGraphLane { _ in
                try await fixture.caughtUp()
                #expect(try await reader.hasApplied(other, pack: pack, lane: lane, deadline: soon))
                #expect(try await reader.hasApplied(own, pack: pack, lane: lane, deadline: soon))
                let next = try await fixture.xid("UPDATE ptest.things SET name = 'b'")
                let applied = try await reader.waitUntilApplied(
                    next, pack: pack, lane: lane, until: .after(.seconds(10)), deadline: soon)
                #expect(applied)
                #expect(try await fixture.names() == ["b"])
                let state = try await reader.state(
                    pack: pack, lane: lane, entity: "things", key: id(1), deadline: soon)
                #expect(state?.state == "applied")
                #expect((state?.revision ?? 0) > 0)
                let absent = try await reader.state(
                    pack: pack, lane: lane, entity: "things", key: id(8), deadline: soon)
                #expect(absent?.state == "absent")
            }
            let unled = try await fixture.xid("UPDATE ptest.things SET name = 'c'")
            let inTime = try await reader.waitUntilApplied(
                unled, pack: pack, lane: lane, until: .after(.milliseconds(60)), deadline: soon)
            #expect(!inTime)
            let status = try await reader.status(packs: [pack], local: [], deadline: soon)
            #expect(status.map(\.lane) == [.graph, .vector])
            #expect(status.first?.pending == 1)
            #expect(status.first?.state == "stopped")
        }
    }
}

// MARK: Pieces

/// A permit that nobody can take away: only the store's fence refuses it.
private func permit(_ revision: Int64) -> LanePermit {
    LanePermit(epoch: 1, revision: revision, check: {}, confirm: {})
}

private func laneError(_ body: () async throws -> Void) async -> LaneError? {
    do {
        try await body()
        return nil
    } catch {
        return error as? LaneError
    }
}

/// Holds a lane between reading a page and writing it. On the fixture's loop.
final class HoldingProbe: LaneProbe, @unchecked Sendable {
    private let loop: EventLoop
    private var mustHold = false
    private(set) var isHolding = false

    init(loop: EventLoop) { self.loop = loop }

    func hold() { mustHold = true }
    func release() { mustHold = false }

    func pageWasRead(_ lane: LaneName, revision: Int64) async {
        while mustHold {
            isHolding = true
            try? await loop.sleep(for: .milliseconds(5))
        }
        isHolding = false
    }
}

extension ProjectionFixture {
    func graphStore() throws -> GraphLaneStore {
        try GraphLaneStore(
            pack: ProjectionFixture.makePack(), graph: ProjectionFixture.graph, neo4j: neo4j,
            postgres: postgres)
    }

    func read(_ chunk: LaneChunk, _ store: GraphLaneStore) async throws -> GraphLaneStore.Work {
        try await postgres.withConnection(deadline: .after(.seconds(20))) { connection in
            try await store.read(chunk, on: connection)
        }
    }

    /// Runs `body` while a transaction with `sql` is open, then commits it.
    func during(_ sql: String, _ body: () async throws -> Void) async throws {
        try await postgres.withConnection(deadline: .after(.seconds(60))) { connection in
            try await connection.simple("BEGIN; \(sql)")
            try await body()
            try await connection.simple("COMMIT")
        }
    }

    /// Waits until all that is committed now is applied, also while a transaction is open.
    func settled() async throws {
        try await eventually("the lane did not settle") {
            try await value(
                "SELECT count(*) FROM fourfold.outbox_pending('ptest', 'graph')") == "0"
        }
    }

    func tags() async throws -> [String] {
        try await cypher(
            """
            MATCH (n:ProjectionTestThing)
            RETURN n.name + ': ' + coalesce(n.tags[0], '') AS line ORDER BY line
            """
        ).map { $0[0] }
    }

    /// Runs a statement that writes and answers its transaction id.
    func xid(_ sql: String) async throws -> String {
        try await postgres.withConnection(deadline: .after(.seconds(20))) { connection in
            try await connection.transaction {
                _ = try await connection.query(Statement(unnamed: sql))
                return try await connection.query(
                    Statement(unnamed: "SELECT pg_current_xact_id()")
                ).string(0, 0) ?? ""
            }
        }
    }
}
