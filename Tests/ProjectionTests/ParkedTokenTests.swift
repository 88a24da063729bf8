import Packs
import Postgres
import Projection
import Runtime
import Testing

extension StoreTests {
    @Suite("Tokens of parked keys")
    struct ParkedTokenTests {}
}

/// A write is not applied while a key that it made dirty is parked, however it made it dirty.
extension StoreTests.ParkedTokenTests {
    /// What makes the thing dirty, and which statements of it must not count as applied.
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let statements: [String]
        /// One other write, which is applied.
        static let other = "INSERT INTO ptest.things (id, name) VALUES ('\(id(2))', 'b')"
    }

    static let cases = [
        Case(
            testDescription: "each of two writes in one page",
            statements: [
                "UPDATE ptest.things SET name = 'a2' WHERE id = '\(id(1))'",
                "UPDATE ptest.things SET name = 'a3' WHERE id = '\(id(1))'",
            ]),
        Case(
            testDescription: "a write of a row that a rule reads",
            statements: [
                "INSERT INTO ptest.taggings VALUES ('\(id(11))', '\(id(1))', '\(id(12))')"
            ]),
        Case(
            testDescription: "writes beside a marker of the whole entity",
            statements: [
                "UPDATE ptest.things SET name = 'a2' WHERE id = '\(id(1))'",
                """
                INSERT INTO fourfold.outbox (pack, entity, op) VALUES ('ptest', 'things', 'r')
                """,
            ]),
    ]

    @Test("of a key that the store refuses", arguments: cases)
    func tokens(_ each: Case) async throws {
        try await ProjectionFixture.run { fixture in
            try await fixture.sql("INSERT INTO ptest.things (id, name) VALUES ('\(id(1))', 'a')")
            let probe = HoldingProbe(loop: fixture.loop)
            try await fixture.withGraphLane(probe: probe) { lane in
                try await fixture.caughtUp()
                // The rows that follow wait for one page together.
                probe.hold()
                try await fixture.sql(Case.other)
                try await fixture.eventually("the page was not read") { probe.isHolding }
                // Nothing in the outbox says that the store will refuse the thing from now on.
                try await fixture.sql(
                    """
                    SET session_replication_role = replica;
                    UPDATE ptest.things SET extra = '{"bad": [1, {"a": 2}]}' WHERE id = '\(id(1))';
                    RESET session_replication_role
                    """)
                var xids: [String] = []
                for statement in each.statements { xids.append(try await fixture.xid(statement)) }
                probe.release()
                try await fixture.caughtUp()
                #expect(try await fixture.value("SELECT key FROM fourfold.parked") == id(1))
                for xid in xids { #expect(try await fixture.hasApplied(xid) == false) }
                #expect(try await fixture.names().contains("b"))

                try await fixture.sql("UPDATE ptest.things SET extra = '{}'")
                try await fixture.eventually("the key was not taken out") {
                    try await fixture.value("SELECT count(*) FROM fourfold.parked") == "0"
                }
                for xid in xids { #expect(try await fixture.hasApplied(xid)) }
            }
        }
    }
}

extension ProjectionFixture {
    func hasApplied(_ xid: String) async throws -> Bool {
        try await value("SELECT fourfold.lane_has_applied('ptest', 'graph', '\(xid)')") == "t"
    }
}
