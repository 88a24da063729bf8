import JSON
import Postgres
import Testing

@testable import Gateway

/// The statements of one row, on a real server.
@Suite struct EntityStatementsTests {
    private static func json(_ result: PostgresResult, _ column: Int = 0) throws -> JSONValue {
        try JSONDocument.parse(#require(result.string(0, column))).root
    }

    private static func create(
        _ database: ScratchDatabase,
        _ body: String,
        owner: String? = Things.owner,
        madeKey: String? = nil
    ) async throws -> WriteResult {
        let query = database.statements.create(
            body: Array(body.utf8),
            owner: owner,
            madeKey: madeKey
        )
        return WriteResult(try await database.run(query))
    }

    @Test func createGivesDefaultsAndHidesWhatIsWriteOnly() async throws {
        try await ScratchDatabase.run { database in
            let made = try await Self.create(
                database,
                "{\"name\":\"a\",\"secret\":\"hush\",\"meta\":{\"a\":[1]}}",
                madeKey: Things.key(1)
            )
            #expect(made.outcome == .created)
            #expect(made.key == Things.key(1))
            #expect(made.transaction.flatMap { UInt64($0) } != nil)
            let row = try Self.json(made.result, WriteResult.Field.body)
            #expect(row["owner_id"]?.string == Things.owner)
            #expect(row["status"]?.string == "active")
            #expect(row["weight"]?.double == 0.5)
            #expect(row["length"]?.int == 1)
            #expect(row["number"]?.int == 1)
            #expect(row["at"]?.string?.isEmpty == false)
            #expect(row["secret"] == nil)
            #expect(try await database.value("SELECT secret FROM \(database.table)") == "hush")
        }
    }

    @Test func createTakesTheCallersKeyAndOwner() async throws {
        try await ScratchDatabase.run { database in
            let body =
                "{\"id\":\"\(Things.key(7))\",\"owner_id\":\"\(Things.otherOwner)\",\"name\":\"a\"}"
            let own = try await Self.create(database, body, owner: nil, madeKey: Things.key(1))
            #expect(own.key == Things.key(7))
            let row = try Self.json(own.result, WriteResult.Field.body)
            #expect(row["owner_id"]?.string == Things.otherOwner)
            let none = try await Self.create(database, "{\"name\":\"b\"}")
            #expect(none.key.map(isUUID) == true)
        }
    }

    @Test func entityTagIsTheSameWhicheverStatementGivesIt() async throws {
        try await ScratchDatabase.run { database in
            let made = try await Self.create(database, "{\"name\":\"a\"}", madeKey: Things.key(1))
            let statements = database.statements
            let read = try await database.run(statements.get(key: Things.key(1), owner: nil))
            let owned = try await database.run(
                statements.get(key: Things.key(1), owner: Things.owner)
            )
            let selected = try await database.run(
                ReadPlans.get(
                    key: Things.key(1),
                    selection: CollectionQuery.parse(
                        pairs(("select", "id")),
                        entity: database.entity
                    ).selection,
                    entity: database.entity,
                    owner: Things.owner
                )
            )
            let stale = try await database.run(
                statements.patch(
                    key: Things.key(1),
                    body: Array("{}".utf8),
                    owner: nil,
                    etags: ["0"]
                )
            )
            let tags = [
                read.string(0, 1), owned.string(0, 1), selected.string(0, 1),
                WriteResult(stale).etag,
            ]
            #expect(tags.allSatisfy { $0 == made.etag && $0 != nil })
            #expect(selected.string(0, 0) == "{\"id\":\"\(Things.key(1))\"}")
            try await database.execute("UPDATE \(database.table) SET secret = 'x'")
            let after = try await database.run(statements.get(key: Things.key(1), owner: nil))
            #expect(after.string(0, 1) != made.etag, "hidden columns are part of the state")
        }
    }

    @Test func foreignOwnersSeeAndTouchNothing() async throws {
        try await ScratchDatabase.run { database in
            _ = try await Self.create(database, "{\"name\":\"a\"}", madeKey: Things.key(1))
            let statements = database.statements
            let key = Things.key(1)
            let other = Things.otherOwner
            #expect(try await database.run(statements.get(key: key, owner: other)).rowCount == 0)
            #expect(try await database.run(statements.owner(key: key, owner: other)).rowCount == 0)
            let owner = try await database.run(statements.owner(key: key, owner: nil))
            #expect(owner.string(0, 0) == Things.owner)
            let body = Array("{\"name\":\"b\"}".utf8)
            for query in [
                statements.patch(key: key, body: body, owner: other, etags: nil),
                statements.patch(key: key, body: body, owner: other, etags: ["0"]),
                statements.delete(key: key, owner: other, etags: nil),
                statements.delete(key: Things.key(9), owner: nil, etags: ["0"]),
            ] {
                #expect(WriteResult(try await database.run(query)).outcome == .none)
            }
            let put = try await database.run(
                statements.put(key: key, body: body, owner: other, etags: nil)
            )
            #expect(WriteResult(put).outcome == .owner)
            #expect(WriteResult(put).etag == nil)
            #expect(try await database.value("SELECT name FROM \(database.table)") == "a")
        }
    }

    struct PatchCase: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let patch: String
        let column: String
        let expected: String
    }

    static let patches: [PatchCase] = [
        PatchCase(
            testDescription: "members of JSON are merged",
            patch: "{\"meta\":{\"b\":2}}",
            column: "meta",
            expected: "{\"a\":{\"x\":1,\"y\":2},\"b\":2}"
        ),
        PatchCase(
            testDescription: "null removes a member",
            patch: "{\"meta\":{\"a\":{\"x\":null}}}",
            column: "meta",
            expected: "{\"a\":{\"y\":2}}"
        ),
        PatchCase(
            testDescription: "a scalar replaces an object",
            patch: "{\"meta\":{\"a\":[1]}}",
            column: "meta",
            expected: "{\"a\":[1]}"
        ),
        PatchCase(
            testDescription: "an array replaces the document",
            patch: "{\"meta\":[1,null]}",
            column: "meta",
            expected: "[1,null]"
        ),
        PatchCase(
            testDescription: "nulls in new objects are left out",
            patch: "{\"meta\":{\"c\":{\"d\":null,\"e\":1}}}",
            column: "meta",
            expected: "{\"a\":{\"x\":1,\"y\":2},\"c\":{\"e\":1}}"
        ),
        PatchCase(
            testDescription: "columns that are not named stay",
            patch: "{\"name\":\"b\"}",
            column: "note",
            expected: "\"first\""
        ),
        PatchCase(
            testDescription: "null sets null",
            patch: "{\"note\":null}",
            column: "note",
            expected: "null"
        ),
        PatchCase(
            testDescription: "arrays are replaced",
            patch: "{\"tags\":[\"z\"]}",
            column: "tags",
            expected: "[\"z\"]"
        ),
        PatchCase(
            testDescription: "arrays of JSON",
            patch: "{\"parts\":[{\"a\":1},2]}",
            column: "parts",
            expected: "[{\"a\":1},2]"
        ),
        PatchCase(
            testDescription: "nothing changes",
            patch: "{}",
            column: "note",
            expected: "\"first\""
        ),
        PatchCase(
            testDescription: "the owner it has",
            patch: "{\"owner_id\":\"\(Things.owner)\"}",
            column: "note",
            expected: "\"first\""
        ),
    ]

    @Test("merge patch", arguments: patches)
    func patch(_ each: PatchCase) async throws {
        try await ScratchDatabase.run { database in
            _ = try await Self.create(
                database,
                "{\"name\":\"a\",\"note\":\"first\",\"tags\":[\"q\"],"
                    + "\"meta\":{\"a\":{\"x\":1,\"y\":2}}}",
                madeKey: Things.key(1)
            )
            let result = WriteResult(
                try await database.run(
                    database.statements.patch(
                        key: Things.key(1),
                        body: Array(each.patch.utf8),
                        owner: nil,
                        etags: nil
                    )
                )
            )
            #expect(result.outcome == .changed)
            let row = try Self.json(result.result, WriteResult.Field.body)
            let value = try #require(row[each.column])
            #expect(String(decoding: value.serialized(), as: UTF8.self) == each.expected)
            #expect(row["secret"] == nil)
        }
    }

    @Test func preconditions() async throws {
        try await ScratchDatabase.run { database in
            let made = try await Self.create(database, "{\"name\":\"a\"}", madeKey: Things.key(1))
            let tag = try #require(made.etag)
            let statements = database.statements
            let body = Array("{\"name\":\"b\"}".utf8)
            let good = WriteResult(
                try await database.run(
                    statements.patch(key: Things.key(1), body: body, owner: nil, etags: ["x", tag])
                )
            )
            #expect(good.outcome == .changed)
            #expect(good.etag != tag)
            for query in [
                statements.patch(key: Things.key(1), body: body, owner: nil, etags: [tag]),
                statements.put(
                    key: Things.key(1),
                    body: body,
                    owner: Things.owner,
                    etags: [tag]
                ),
                statements.put(
                    key: Things.key(1),
                    body: body,
                    owner: Things.owner,
                    etags: nil,
                    isNew: true
                ),
                statements.delete(key: Things.key(1), owner: nil, etags: [tag]),
            ] {
                let late = WriteResult(try await database.run(query))
                #expect(late.outcome == .precondition)
                #expect(late.etag == good.etag)
                #expect(late.transaction == nil)
            }
            let gone = WriteResult(
                try await database.run(
                    statements.delete(key: Things.key(1), owner: nil, etags: [good.etag ?? ""])
                )
            )
            #expect(gone.outcome == .changed)
            #expect(gone.transaction != nil)
            #expect(try await database.value("SELECT count(*) FROM \(database.table)") == "0")
        }
    }

    @Test func preconditionIsCheckedOnTheRowAsItIsOnceTheLockIsHeld() async throws {
        try await ScratchDatabase.run { database in
            let made = try await Self.create(database, "{\"name\":\"a\"}", madeKey: Things.key(1))
            let statements = database.statements
            let body = Array("{\"note\":\"late\"}".utf8)
            let late = statements.patch(
                key: Things.key(1),
                body: body,
                owner: nil,
                etags: [made.etag ?? ""]
            )
            let outcome = try await database.client.withConnection(deadline: .after(.seconds(20))) {
                first in
                try await first.simple(
                    "BEGIN; UPDATE \(database.table) SET note = 'first'"
                )
                async let waiting = database.run(late)
                let blocked = """
                    SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) \
                    WHERE NOT granted AND locktype = 'transactionid' \
                    AND query LIKE '%\(database.entity.schema)%'
                    """
                var attempts = 0
                while attempts < 5_000, try await database.value(blocked) == "0" { attempts += 1 }
                try await first.simple("COMMIT")
                return WriteResult(try await waiting)
            }
            #expect(outcome.outcome == .precondition)
            let now = try await database.run(statements.get(key: Things.key(1), owner: nil))
            #expect(outcome.etag == now.string(0, 1))
            #expect(try await database.value("SELECT note FROM \(database.table)") == "first")
        }
    }

    @Test func patchCannotGiveARowAway() async throws {
        try await ScratchDatabase.run { database in
            _ = try await Self.create(database, "{\"name\":\"a\"}", madeKey: Things.key(1))
            let body = Array("{\"owner_id\":\"\(Things.otherOwner)\"}".utf8)
            let result = WriteResult(
                try await database.run(
                    database.statements.patch(
                        key: Things.key(1),
                        body: body,
                        owner: nil,
                        etags: nil
                    )
                )
            )
            #expect(result.outcome == .owner)
            let owner = try await database.value("SELECT owner_id FROM \(database.table)")
            #expect(owner == Things.owner)
        }
    }

    @Test func putCreatesThenReplaces() async throws {
        try await ScratchDatabase.run { database in
            let statements = database.statements
            let key = Things.key(3)
            func put(_ body: String, etags: [String]? = nil) async throws -> WriteResult {
                WriteResult(
                    try await database.run(
                        statements.put(
                            key: key,
                            body: Array(body.utf8),
                            owner: Things.owner,
                            etags: etags
                        )
                    )
                )
            }
            #expect(try await put("{\"name\":\"a\"}", etags: ["x"]).outcome == .none)
            let first = try await put(
                "{\"name\":\"a\",\"note\":\"n\",\"secret\":\"s\",\"status\":\"done\"}"
            )
            #expect(first.outcome == .created)
            #expect(first.key == key)
            let second = try await put("{\"name\":\"b\"}", etags: [first.etag ?? ""])
            #expect(second.outcome == .changed)
            let row = try Self.json(second.result, WriteResult.Field.body)
            #expect(row["name"]?.string == "b")
            #expect(row["note"]?.isNull == true)
            #expect(row["status"]?.string == "active")
            #expect(try await database.value("SELECT secret FROM \(database.table)") == "s")
        }
    }

    @Test func invalidFieldsAreNamed() async throws {
        try await ScratchDatabase.run { database in
            let body = """
                [{"name":"ok"},{"name":"\(String(repeating: "n", count: 21))","count":99999999999,
                  "at":"yesterdayish","tags":["fine"],"weight":"heavy","meta":"any","note":5}]
                """
            let plan = InvalidFieldsPlan(entity: database.entity)
            let problem = plan.problem(try await database.run(plan.query(body: Array(body.utf8))))
            #expect(
                problem?.errors == [
                    FieldError("1.at", "is not a valid timestamp with time zone"),
                    FieldError("1.count", "is out of range for integer"),
                    FieldError("1.name", "is too long for character varying(20)"),
                    FieldError("1.weight", "is not a valid double precision"),
                ]
            )
            let single = plan.problem(
                try await database.run(plan.query(body: Array("{\"id\":\"x\"}".utf8)))
            )
            #expect(single?.errors.map(\.field) == ["id"])
            let fine = try await database.run(plan.query(body: Array("{\"name\":\"x\"}".utf8)))
            #expect(plan.problem(fine) == nil)
        }
    }

    @Test func refusalsOfTheSchema() async throws {
        try await ScratchDatabase.run { database in
            _ = try await Self.create(database, "{\"name\":\"a\"}", madeKey: Things.key(1))
            let cases: [(String, ProblemCode, [String])] = [
                ("{\"name\":\"a\"}", .uniqueViolation, ["owner_id", "name"]),
                ("{\"id\":\"\(Things.key(1))\",\"name\":\"b\"}", .uniqueViolation, ["id"]),
                ("{\"name\":\"b\",\"status\":\"odd\"}", .domainRule, ["status"]),
                ("{\"name\":\"b\",\"count\":\"x\"}", .invalidValue, []),
                ("{\"name\":null}", .missingColumn, ["name"]),
                ("{\"name\":\"\(String(repeating: "n", count: 21))\"}", .invalidValue, []),
            ]
            for (body, code, fields) in cases {
                let problem = await database.refusal(
                    database.statements.create(
                        body: Array(body.utf8),
                        owner: Things.owner,
                        madeKey: nil
                    )
                )
                #expect(problem?.code == code, "\(body)")
                #expect(problem?.errors.map(\.field) == fields, "\(body)")
            }
        }
    }
}
