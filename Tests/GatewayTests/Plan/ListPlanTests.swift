import JSON
import Postgres
import Testing

@testable import Gateway

/// Lists on a real server: what filters find, how pages follow each other, what hostile text does.
@Suite struct ListPlanTests {
    private static let rows = """
        [{"id":"\(Things.key(1))","owner_id":"\(Things.owner)","name":"apple",
          "note":"red fruit","status":"active",
          "tags":["a","b"],"meta":{"k":1,"who":{"name":"Ann"}},
          "weight":1.5,"count":1,
          "is_open":true,"at":"2026-01-01T00:00:00Z","span":"[1,5)"},
         {"id":"\(Things.key(2))","owner_id":"\(Things.owner)","name":"Banana",
          "note":null,"status":"done",
          "tags":["b"],"meta":{"k":2,"list":[7,8]},
          "weight":null,"count":2,
          "is_open":false,"at":"2026-02-01T00:00:00Z","span":"[5,9)"},
         {"id":"\(Things.key(3))","owner_id":"\(Things.owner)","name":"cherry, \\"pie\\"",
          "note":"with (parts)","status":"active",
          "tags":[],"meta":["x","y"],
          "weight":2.5,"count":null,
          "is_open":null,"at":"2026-03-01T00:00:00Z","span":null},
         {"id":"\(Things.key(4))","owner_id":"\(Things.owner)","name":"date",
          "note":"red date","status":"done",
          "tags":["c","d e"],"meta":{},
          "weight":null,"count":2,
          "is_open":true,"at":"2026-03-01T00:00:00Z","span":"[20,30)"},
         {"id":"\(Things.key(5))","owner_id":"\(Things.otherOwner)","name":"foreign",
          "note":"red","status":"active",
          "tags":["a"],"meta":{},
          "weight":9,"count":9,
          "is_open":true,"at":"2026-01-01T00:00:00Z","span":null}]
        """

    private static func insert(_ database: ScratchDatabase) async throws {
        let columns =
            "id, owner_id, name, note, status, tags, meta, weight, count, is_open, at, span"
        let escaped = rows.split(separator: "'").joined(separator: "''")
        try await database.execute(
            "INSERT INTO \(database.table) (\(columns)) SELECT \(columns) FROM "
                + "jsonb_populate_recordset(NULL::\(database.table), '\(escaped)')"
        )
    }

    private static func plan(
        _ database: ScratchDatabase,
        _ query: [(name: String, value: String)],
        owner: String? = Things.owner,
        count: Preferences.Count? = nil,
        isSingular: Bool = false
    ) throws(Problem) -> ListPlan {
        try ListPlan(
            CollectionQuery.parse(query, entity: database.entity),
            entity: database.entity,
            owner: owner,
            count: count,
            isSingular: isSingular
        )
    }

    private static func ids(_ result: PostgresResult) throws -> String {
        let text = try #require(result.string(0, ListPlan.Field.body))
        return try JSONDocument.parse(text).root.elements.map {
            $0["id"]?.string?.suffix(1).description ?? "?"
        }.joined()
    }

    @Test func filtersFindWhatTheySay() async throws {
        let cases: [(String, String, String)] = [
            ("name", "eq.apple", "1"), ("name", "eq.cherry, \"pie\"", "3"),
            ("name", "neq.apple", "234"),
            ("count", "gt.1", "24"), ("count", "gte.1", "124"), ("count", "lt.2", "1"),
            ("count", "lte.2", "124"), ("name", "like.*a*", "124"), ("name", "ilike.b%", "2"),
            ("name", "match.^[a-c]", "13"), ("name", "imatch.^B", "2"), ("id", "ilike.*3", "3"),
            ("name", "in.(apple,\"cherry, \\\"pie\\\"\")", "13"), ("name", "in.()", ""),
            ("id", "in.(\(Things.key(2)),\(Things.key(5)))", "2"),
            ("note", "is.null", "2"), ("note", "not.is.null", "134"),
            ("note", "is.not_null", "134"),
            ("is_open", "is.true", "14"), ("is_open", "is.false", "2"),
            ("is_open", "is.unknown", "3"),
            ("count", "isdistinct.2", "13"), ("weight", "isdistinct.1.5", "234"),
            ("note", "fts.red", "14"), ("note", "fts(english).fruits", "1"),
            ("note", "plfts.red date", "4"),
            ("note", "phfts.red fruit", "1"), ("note", "wfts.fruit or date", "14"),
            ("tags", "cs.{b}", "12"), ("tags", "cd.{a,b,c}", "123"), ("tags", "ov.{a,c}", "14"),
            ("tags", "cs.{\"d e\"}", "4"), ("tags", "eq.{b}", "2"),
            ("meta", "cs.{\"k\":1}", "1"), ("meta", "ov.{who,x}", "13"),
            ("meta", "ov.[\"x\"]", "3"),
            ("meta", "cd.{\"k\":2,\"list\":[7,8]}", "24"),
            ("span", "sl.[5,6)", "1"), ("span", "sr.[9,10)", "4"), ("span", "nxr.[1,9)", "12"),
            ("span", "nxl.[5,9)", "24"), ("span", "adj.[5,6)", "1"), ("span", "ov.[4,6)", "12"),
            ("span", "cs.3", ""), ("name", "eq(any).{apple,date}", "14"),
            ("name", "like(any).{a*,*e}", "14"), ("name", "like(all).{a*,*e}", "1"),
            ("count", "gt(all).{0,1}", "24"), ("meta->>k", "eq.1", "1"), ("meta->k", "gt.1", "2"),
            ("meta->who->>name", "ilike.ann", "1"), ("meta->list->0", "eq.7", "2"),
            ("meta->list->>-1", "eq.8", "2"), ("tags->>0", "eq.b", "2"),
            ("meta->who", "not.is.null", "1"),
            ("or", "(count.eq.1,name.eq.date)", "14"), ("not.or", "(count.eq.1,name.eq.date)", "2"),
            ("and", "(count.gt.0,or(is_open.is.true,note.is.null))", "124"),
            ("or", "(tags.cs.{a,b},meta.cs.{\"k\":2})", "12"),
            ("or", "(name.in.(date,\"cherry, \\\"pie\\\"\"))", "34"),
            ("at", "gte.2026-02-01", "234"), ("count", "not.eq.2", "1"), ("name", "eq.", ""),
        ]
        try await ScratchDatabase.run { database in
            try await Self.insert(database)
            for (name, value, expected) in cases where value != "cs.3" {
                let plan = try Self.plan(database, pairs((name, value), ("order", "id")))
                let result = try await database.run(plan.query)
                #expect(try Self.ids(result) == expected, "\(name)=\(value)")
            }
        }
    }

    @Test func selectShapesTheRow() async throws {
        let cases: [(String, String)] = [
            ("id", "{\"id\":\"\(Things.key(1))\"}"), ("title:name", "{\"title\":\"apple\"}"),
            ("meta->who->>name", "{\"name\":\"Ann\"}"),
            ("who:meta->who", "{\"who\":{\"name\": \"Ann\"}}"),
            ("count::text,first:tags->>0", "{\"count\":\"1\",\"first\":\"a\"}"),
            ("meta->k::int", "{\"k\":1}"), ("name,name", "{\"name\":\"apple\"}"),
        ]
        try await ScratchDatabase.run { database in
            try await Self.insert(database)
            for (select, expected) in cases {
                let plan = try Self.plan(
                    database,
                    pairs(("select", select), ("name", "eq.apple")),
                    isSingular: true
                )
                let result = try await database.run(plan.query)
                #expect(result.string(0, ListPlan.Field.body) == expected, "\(select)")
            }
            let all = try await database.run(Self.plan(database, pairs(("select", "*"))).query)
            #expect(all.string(0, 0)?.contains("secret") == false)
        }
    }

    @Test func pagesFollowEachOtherInEveryOrder() async throws {
        let orders = [
            "", "name", "name.desc", "count", "count.desc", "count.asc.nullsfirst",
            "count.desc.nullslast", "weight.nullsfirst,count.desc", "at.desc,name", "at.desc",
            "is_open,weight.desc.nullslast", "meta->>k", "meta->k.desc", "status,count.desc,at",
            "id.desc", "note.desc.nullsfirst,id",
        ]
        try await ScratchDatabase.run { database in
            try await Self.insert(database)
            for order in orders {
                let base = pairs(("order", order), ("select", "id"))
                let whole = try await database.run(Self.plan(database, base).query)
                for size in 1...3 {
                    var walked = ""
                    var query = base + pairs(("limit", String(size)))
                    for _ in 0..<6 {
                        let plan = try Self.plan(database, query)
                        let result = try await database.run(plan.query)
                        walked += try Self.ids(result)
                        let next = plan.nextCursor(
                            rowCount: Int(result.int(0, ListPlan.Field.rowCount) ?? 0),
                            keyset: result.string(0, ListPlan.Field.keyset)
                        )
                        guard let next else { break }
                        query = base + pairs(("limit", String(size)), ("cursor", next))
                    }
                    #expect(try walked == Self.ids(whole), "order=\(order) by \(size)")
                    #expect(walked.count == 4)
                }
            }
        }
    }

    @Test func aCursorOfAnotherListIsRefused() async throws {
        try await ScratchDatabase.run { database in
            try await Self.insert(database)
            let plan = try Self.plan(database, pairs(("order", "name"), ("limit", "1")))
            let result = try await database.run(plan.query)
            let cursor = try #require(
                plan.nextCursor(rowCount: 1, keyset: result.string(0, ListPlan.Field.keyset))
            )
            for other in [
                pairs(("order", "name.desc"), ("cursor", cursor)), pairs(("cursor", cursor)),
                pairs(("order", "name"), ("status", "eq.done"), ("cursor", cursor)),
                pairs(("order", "name"), ("cursor", cursor + "A")),
            ] {
                #expect { try Self.plan(database, other) } throws: {
                    ($0 as? Problem)?.code == .invalidCursor
                }
            }
        }
    }

    @Test func countsAndRanges() async throws {
        try await ScratchDatabase.run { database in
            try await Self.insert(database)
            let query = pairs(("limit", "2"), ("offset", "1"))
            let exact = try Self.plan(database, query, count: .exact)
            let result = try await database.run(exact.query)
            let total = result.int(0, ListPlan.Field.total).map { Int($0) }
            #expect(total == 4)
            #expect(exact.contentRange(rowCount: 2, total: total) == "1-2/4")
            #expect(exact.contentRange(rowCount: 0, total: 4) == "*/4")
            let plain = try Self.plan(database, query)
            #expect(try await database.run(plain.query).isNull(0, ListPlan.Field.total))
            #expect(plain.contentRange(rowCount: 2, total: nil) == "1-2/*")
            let planned = try Self.plan(database, query, count: .planned)
            let explained = try await database.run(try #require(planned.plannedCount))
            let text = try #require(explained.string(0, 0))
            #expect(ListPlan.plannedRowCount(text) != nil)
            let estimated = try Self.plan(database, query, count: .estimated)
            #expect(try await database.run(estimated.query).int(0, ListPlan.Field.total) == 4)
            let none = try Self.plan(database, pairs(("limit", "0")), count: .exact)
            let nothing = try await database.run(none.query)
            #expect(nothing.string(0, ListPlan.Field.body) == "[]")
            #expect(nothing.int(0, ListPlan.Field.total) == 4)
        }
    }

    @Test func singularReadsTwoRowsAtMost() async throws {
        try await ScratchDatabase.run { database in
            try await Self.insert(database)
            for (filter, count) in [("eq.apple", Int64(1)), ("eq.none", 0), ("neq.apple", 2)] {
                let plan = try Self.plan(database, pairs(("name", filter)), isSingular: true)
                let result = try await database.run(plan.query)
                #expect(result.int(0, ListPlan.Field.rowCount) == count)
                if count == 0 { #expect(result.isNull(0, ListPlan.Field.body)) }
            }
        }
    }

    @Test func hitsAreCheckedAgainstOwnerAndFilter() async throws {
        try await ScratchDatabase.run { database in
            try await Self.insert(database)
            let filters = try CollectionQuery.parseFilters(
                pairs(("status", "eq.active")),
                entity: database.entity
            )
            let keys = [1, 2, 5, 8].map(Things.key) + ["not-a-uuid", "'; --"]
            let query = try ReadPlans.hits(
                keys: keys,
                filters: filters,
                entity: database.entity,
                owner: Things.owner
            )
            let result = try await database.run(query)
            #expect(result.rowCount == 1)
            #expect(result.string(0, 0) == Things.key(1))
            #expect(result.string(0, 1)?.contains("secret") == false)
        }
    }

    @Test func withoutAnOwnerOnlyIndexesAreUsed() throws {
        let entity = Things.entity()
        func code(_ query: [(name: String, value: String)], owner: String? = nil) -> ProblemCode? {
            do {
                _ = try ListPlan(
                    CollectionQuery.parse(query, entity: entity),
                    entity: entity,
                    owner: owner
                )
                return nil
            } catch { return error.code }
        }
        #expect(code([]) == nil)
        #expect(code(pairs(("status", "eq.done"), ("order", "name"))) == nil)
        #expect(code(pairs(("owner_id", "eq.x"), ("note", "like.a"))) == nil)
        #expect(code(pairs(("id", "in.(a)"), ("note", "like.a"))) == nil)
        #expect(code(pairs(("status", "gt.a"))) == nil)
        #expect(code(pairs(("name", "eq.a"))) == .columnNotIndexed)
        #expect(code(pairs(("name", "eq.a")), owner: Things.owner) == nil)
        #expect(code(pairs(("order", "name"))) == .columnNotIndexed)
        #expect(code(pairs(("status", "gt.a"), ("order", "name"))) == .columnNotIndexed)
        #expect(code(pairs(("status->>a", "eq.a"))) == .columnNotIndexed)
        #expect(code(pairs(("or", "(status.eq.a,name.eq.b)"))) == .columnNotIndexed)
        #expect(code(pairs(("status", "not.eq.a"), ("order", "name"))) == .columnNotIndexed)
    }

    /// SQL in every position: refused with 400 or taken as a plain value, never run.
    @Test func hostileTextIsNeverRun() async throws {
        let texts = [
            "'; DROP TABLE things; --", "\"; DROP TABLE things; --", "1) OR (1=1", "$1",
            "$99::text",
            "\\", "\\'; --", "%", "_", "*", "{", "}", "(", ")", "a,b", "null", "\u{7F}", "😀",
            "/* */", "--", "E'\\x27'", "ROW(1)", "''", "\"\"", "{\"a\":\"'\"}", "pg_sleep(10)",
        ]
        try await ScratchDatabase.run { database in
            try await Self.insert(database)
            for text in texts {
                let escaped = text.map { "\"\\".contains($0) ? "\\\($0)" : String($0) }.joined()
                let quoted =
                    "\"\(escaped)\""
                let queries =
                    [
                        pairs((text, "eq.a")), pairs(("meta->>\(text)", "eq.a")),
                        pairs(("name", text)), pairs(("name", "\(text).a")),
                        pairs(("name", "eq(\(text)).a")), pairs(("note", "fts(\(text)).a")),
                        pairs(("name", "is.\(text)")), pairs(("name", "in.(\(text))")),
                        pairs(("name", "in.(\(quoted))")), pairs(("or", "(name.eq.\(text))")),
                        pairs(("or", "(name.eq.\(quoted))")), pairs(("or", text)),
                        pairs(("select", text)), pairs(("select", "\(text):name")),
                        pairs(("select", "meta->\(text)")), pairs(("select", "name::\(text)")),
                        pairs(("order", text)), pairs(("order", "name.\(text)")),
                        pairs(("order", "meta->>\(text)")), pairs(("limit", text)),
                        pairs(("offset", text)), pairs(("cursor", text)), pairs(("columns", text)),
                    ]
                    + [
                        "eq", "neq", "gt", "like", "ilike", "match", "fts", "wfts", "cs", "cd",
                        "ov",
                        "isdistinct",
                    ].flatMap { word in
                        [
                            "name", "id", "tags", "meta", "count", "at", "span", "meta->>a",
                            "meta->a",
                        ].map {
                            pairs(($0, "\(word).\(text)"))
                        }
                    }
                for query in queries {
                    do throws(Problem) {
                        let plan = try Self.plan(database, query)
                        let problem = await database.refusal(plan.query)
                        #expect(
                            problem == nil || problem?.status == 400,
                            "\(query): \(String(describing: problem))"
                        )
                    } catch {
                        #expect(error.status == 400, "\(query)")
                    }
                }
            }
            #expect(try await database.value("SELECT count(*) FROM \(database.table)") == "5")
        }
    }
}
