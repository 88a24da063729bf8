import JSON
import Postgres
import Testing

@testable import Gateway

/// Writes to a collection, on a real server.
@Suite struct BulkWriteTests {
    private typealias Field = BulkWrite.Field

    private static func insert(
        _ body: String,
        _ entity: ScratchDatabase,
        owner: String? = Things.owner,
        answer: BulkWrite.Answer = .init(),
        _ change: (inout BulkWrite.Insert) -> Void = { _ in }
    ) throws -> PlannedQuery {
        let root = try JSONDocument.parse(body).root
        var check = BodyCheck(entity: entity.entity, purpose: .create, owner: owner)
        let unchecked = BulkWrite.Insert(
            body: Array(body.utf8),
            checked: CheckedBody(rowCount: 0, isArray: true, names: [], hasUniformNames: true)
        )
        var insert = unchecked
        change(&insert)
        check.listed = insert.listed
        let checked = try check.check(root)
        insert.checked = checked
        insert.owner = owner
        return try BulkWrite.insert(insert, entity: entity.entity, answer: answer)
    }

    private static func names(_ result: PostgresResult) throws -> [String] {
        let text = try #require(result.string(0, Field.body))
        return try JSONDocument.parse(text).root.elements.map { $0["name"]?.string ?? "?" }
    }

    @Test func arrayKeepsItsOrderAndDefaultsAreMadePerRow() async throws {
        try await ScratchDatabase.run { database in
            let objects = (0..<50).map { "{\"name\":\"n\(49 - $0)\"}" }
            let body = "[\(objects.joined(separator: ","))]"
            let result = try await database.run(Self.insert(body, database))
            #expect(try Self.names(result) == (0..<50).map { "n\(49 - $0)" })
            #expect(result.int(0, Field.rowCount) == 50)
            #expect(result.int(0, Field.createdCount) == 50)
            #expect(result.isNull(0, Field.etag))
            #expect(result.string(0, Field.transaction).flatMap { UInt64($0) } != nil)
            let distinct = "SELECT count(DISTINCT id) FROM \(database.table)"
            #expect(try await database.value(distinct) == "50")
        }
    }

    @Test func madeKeysAreUsedWhereTheBodyHasNone() async throws {
        try await ScratchDatabase.run { database in
            let body = "[{\"name\":\"a\"},{\"id\":\"\(Things.key(9))\",\"name\":\"b\"}]"
            let query = try Self.insert(body, database) {
                $0.madeKeys = [Things.key(1), Things.key(2)]
            }
            let result = try await database.run(query)
            let root = try JSONDocument.parse(#require(result.string(0, Field.body))).root
            #expect(root.elements.map { $0["id"]?.string } == [Things.key(1), Things.key(9)])
        }
    }

    @Test func oneObjectAnswersAsAnArrayOrAsItself() async throws {
        try await ScratchDatabase.run { database in
            let result = try await database.run(
                Self.insert("{\"name\":\"a\"}", database, answer: .init(isSingular: false))
            )
            #expect(try Self.names(result) == ["a"])
            #expect(result.string(0, Field.key).map(isUUID) == true)
            #expect(result.string(0, Field.etag)?.isEmpty == false)
            let singular = try await database.run(
                Self.insert("{\"name\":\"b\"}", database, answer: .init(isSingular: true))
            )
            #expect(singular.string(0, Field.body)?.hasPrefix("{\"id\"") == true)
            let quiet = try await database.run(
                Self.insert("{\"name\":\"c\"}", database, answer: .init(hasBody: false))
            )
            #expect(quiet.isNull(0, Field.body))
            #expect(quiet.int(0, Field.rowCount) == 1)
            let empty = try await database.run(Self.insert("[]", database))
            #expect(empty.string(0, Field.body) == "[]")
        }
    }

    @Test func allOrNothing() async throws {
        try await ScratchDatabase.run { database in
            let bodies = [
                "[{\"name\":\"a\"},{\"name\":\"a\"}]",
                "[{\"name\":\"a\"},{\"name\":\"b\",\"count\":\"x\"}]",
            ]
            for body in bodies {
                #expect(await database.refusal(try Self.insert(body, database)) != nil)
            }
            let problem = await database.refusal(
                try Self.insert(
                    "[{\"name\":\"a\"},{\"name\":\"b\"}]",
                    database,
                    answer: .init(isSingular: true)
                )
            )
            #expect(problem?.status == 406)
            #expect(problem?.detail == "The result contains 2 rows")
            #expect(try await database.value("SELECT count(*) FROM \(database.table)") == "0")
        }
    }

    @Test func listedColumnsAreNullWhereAbsentUnlessDefaultsAreAskedFor() async throws {
        try await ScratchDatabase.run { database in
            let listed = ["name", "weight"].compactMap { database.entity.column($0) }
            let body =
                "[{\"name\":\"a\",\"note\":\"ignored\",\"other\":1},{\"name\":\"b\",\"weight\":2}]"
            let query = try Self.insert(body, database) { $0.listed = listed }
            _ = try await database.run(query)
            let weights =
                "SELECT string_agg(coalesce(weight::text, '-') || coalesce(note, '') "
                + "|| status, ',' ORDER BY name) FROM \(database.table)"
            #expect(try await database.value(weights) == "-active,2active")
            try await database.execute("DELETE FROM \(database.table)")
            let defaults = try Self.insert(body, database) {
                $0.listed = listed
                $0.isMissingDefault = true
            }
            _ = try await database.run(defaults)
            #expect(try await database.value(weights) == "0.5active,2active")
        }
    }

    @Test func upsertMergesIgnoresAndLeavesOthersAlone() async throws {
        try await ScratchDatabase.run { database in
            _ = try await database.run(
                Self.insert("[{\"name\":\"a\",\"note\":\"1\",\"count\":7}]", database)
            )
            let merge = try Self.insert(
                "[{\"name\":\"a\",\"note\":\"2\"},{\"name\":\"b\",\"note\":\"3\"}]",
                database
            ) {
                $0.resolution = .mergeDuplicates
                $0.conflictColumns = ["name", "owner_id"]
            }
            let merged = try await database.run(merge)
            #expect(merged.int(0, Field.rowCount) == 2)
            #expect(merged.int(0, Field.createdCount) == 1)
            let state =
                "SELECT string_agg(name || note || coalesce(count, 0), ',' ORDER BY name) "
                + "FROM \(database.table)"
            #expect(try await database.value(state) == "a27,b30")

            let ignore = try Self.insert(
                "[{\"name\":\"a\",\"note\":\"4\"},{\"name\":\"c\",\"note\":\"5\"}]",
                database
            ) {
                $0.resolution = .ignoreDuplicates
                $0.conflictColumns = ["owner_id", "name"]
            }
            #expect(try Self.names(try await database.run(ignore)) == ["c"])

            let twice = try Self.insert("[{\"name\":\"d\"},{\"name\":\"d\"}]", database) {
                $0.resolution = .mergeDuplicates
                $0.conflictColumns = ["owner_id", "name"]
            }
            #expect(await database.refusal(twice)?.code == .duplicateRows)

            let key = try #require(
                try await database.value("SELECT id FROM \(database.table) WHERE name = 'a'")
            )
            let foreign = try Self.insert(
                "[{\"id\":\"\(Things.key(5))\",\"name\":\"e\"},{\"id\":\"\(key)\",\"name\":\"f\"}]",
                database,
                owner: Things.otherOwner
            ) { $0.resolution = .mergeDuplicates }
            #expect(await database.refusal(foreign)?.code == .ownerImmutable)
            #expect(try await database.value(state) == "a27,b30,c50")
        }
    }

    @Test(
        "upserts that are refused before they run",
        arguments: [
            ("[{\"name\":\"a\"}]", ["name"], ProblemCode.invalidConflictTarget),
            ("[{\"name\":\"a\"}]", ["secret"], .invalidConflictTarget),
            ("[{\"name\":\"a\"}]", ["id) DO NOTHING; --"], .invalidConflictTarget),
            ("[{\"name\":\"a\"},{\"name\":\"b\",\"note\":\"x\"}]", ["id"], .invalidBody),
        ]
    )
    func refusedUpsert(_ body: String, _ target: [String], _ code: ProblemCode) throws {
        let entity = Things.entity()
        let checked = try BodyCheck(entity: entity, purpose: .create, owner: Things.owner)
            .check(JSONDocument.parse(body).root)
        let insert = BulkWrite.Insert(
            body: Array(body.utf8),
            checked: checked,
            owner: Things.owner,
            resolution: .mergeDuplicates,
            conflictColumns: target
        )
        #expect { try BulkWrite.insert(insert, entity: entity, answer: .init()) } throws: {
            ($0 as? Problem)?.code == code
        }
    }

    private static func update(
        _ database: ScratchDatabase,
        _ filter: (String, String),
        _ body: String,
        owner: String? = Things.owner,
        answer: BulkWrite.Answer = .init()
    ) throws -> PlannedQuery {
        let checked = try BodyCheck(entity: database.entity, purpose: .patchMany, owner: owner)
            .check(JSONDocument.parse(body).root)
        return try BulkWrite.update(
            CollectionQuery.parse(pairs(filter), entity: database.entity),
            body: Array(body.utf8),
            checked: checked,
            entity: database.entity,
            owner: owner,
            answer: answer
        )
    }

    private static let three =
        "[{\"name\":\"a\",\"count\":1,\"meta\":{\"x\":1}},"
        + "{\"name\":\"b\",\"count\":2},{\"name\":\"c\",\"count\":3}]"

    @Test func updateReplacesTheNamedColumnsOfWhatTheFilterFinds() async throws {
        try await ScratchDatabase.run { database in
            _ = try await database.run(Self.insert(Self.three, database))
            let result = try await database.run(
                Self.update(database, ("count", "lte.2"), "{\"meta\":{\"y\":2},\"note\":\"n\"}")
            )
            #expect(try Self.names(result).sorted() == ["a", "b"])
            let metas =
                "SELECT string_agg(meta::text || coalesce(note, ''), ',' ORDER BY name) "
                + "FROM \(database.table)"
            #expect(try await database.value(metas) == "{\"y\": 2}n,{\"y\": 2}n,{}")
            let none = try await database.run(
                Self.update(database, ("name", "eq.zz"), "{\"note\":\"m\"}")
            )
            #expect(none.int(0, Field.rowCount) == 0)
            let other = try await database.run(
                Self.update(
                    database,
                    ("name", "eq.a"),
                    "{\"note\":\"m\"}",
                    owner: Things.otherOwner
                )
            )
            #expect(other.int(0, Field.rowCount) == 0)
        }
    }

    @Test func updatesThatUndoThemselves() async throws {
        try await ScratchDatabase.run { database in
            _ = try await database.run(Self.insert(Self.three, database))
            let note = "{\"note\":\"n\"}"
            let cases: [(PlannedQuery, ProblemCode, String?)] = [
                (
                    try Self.update(
                        database,
                        ("count", "gt.0"),
                        note,
                        answer: .init(maxAffected: 2)
                    ),
                    .maxAffectedExceeded, "3 rows match; nothing was changed."
                ),
                (
                    try Self.update(
                        database,
                        ("count", "gt.1"),
                        note,
                        answer: .init(isSingular: true)
                    ),
                    .notSingular, "The result contains 2 rows"
                ),
                (
                    try Self.update(
                        database,
                        ("count", "gt.9"),
                        note,
                        answer: .init(isSingular: true)
                    ),
                    .notSingular, "The result contains 0 rows"
                ),
                (
                    try Self.update(
                        database,
                        ("name", "eq.a"),
                        "{\"id\":\"\(Things.key(1))\",\"note\":\"n\"}"
                    ),
                    .keyMismatch, nil
                ),
                (
                    try Self.update(
                        database,
                        ("owner_id", "eq.\(Things.owner)"),
                        "{\"owner_id\":\"\(Things.otherOwner)\",\"note\":\"n\"}",
                        owner: nil
                    ),
                    .ownerImmutable,
                    "A row of another owner would be touched; nothing was changed."
                ),
            ]
            for (query, code, detail) in cases {
                let problem = await database.refusal(query)
                #expect(problem?.code == code)
                #expect(problem?.detail == detail)
            }
            let noted = "SELECT count(note) FROM \(database.table)"
            #expect(try await database.value(noted) == "0")
            let same = try Self.update(
                database,
                ("name", "eq.a"),
                "{\"owner_id\":\"\(Things.owner)\",\"note\":\"n\"}",
                answer: .init(isSingular: true, maxAffected: 1)
            )
            #expect(try await database.run(same).string(0, Field.body)?.hasPrefix("{") == true)
        }
    }

    @Test func deleteNeedsAFilterAndTakesOnlyWhatItFinds() async throws {
        try await ScratchDatabase.run { database in
            _ = try await database.run(Self.insert(Self.three, database))
            func delete(_ filter: (String, String)...) throws -> PlannedQuery {
                try BulkWrite.delete(
                    CollectionQuery.parse(
                        filter.map { (name: $0.0, value: $0.1) },
                        entity: database.entity
                    ),
                    entity: database.entity,
                    owner: Things.owner,
                    answer: .init()
                )
            }
            #expect { try delete() } throws: { ($0 as? Problem)?.code == .filterRequired }
            #expect { try delete(("select", "id")) } throws: {
                ($0 as? Problem)?.code == .filterRequired
            }
            #expect { try delete(("name", "eq.a"), ("limit", "1")) } throws: {
                ($0 as? Problem)?.code == .invalidParameter
            }
            let result = try await database.run(delete(("count", "gte.2")))
            #expect(try Self.names(result).sorted() == ["b", "c"])
            #expect(try await database.value("SELECT name FROM \(database.table)") == "a")
        }
    }
}
