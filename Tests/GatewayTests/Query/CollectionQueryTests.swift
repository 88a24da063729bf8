import Testing

@testable import Gateway

/// Grammar of lists: what is read, and what is refused with which code.
@Suite struct CollectionQueryTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let pairs: [(name: String, value: String)]
        /// SQL of the condition or the code of the problem.
        let expected: Result<String, Code>
        struct Code: Error, Equatable { let code: ProblemCode }

        init(_ description: String, _ name: String, _ value: String, _ sql: String) {
            testDescription = description
            pairs = [(name, value)]
            expected = .success(sql)
        }

        init(_ description: String, _ name: String, _ value: String, fails code: ProblemCode) {
            testDescription = description
            pairs = [(name, value)]
            expected = .failure(Code(code: code))
        }
    }

    static let filters: [Case] = [
        Case("eq", "status", "eq.active", "_t.\"status\" = $1::text"),
        Case("a value may hold anything", "note", "eq.a,b.(c)\"d\"", "_t.\"note\" = $1::text"),
        Case("an empty value", "note", "eq.", "_t.\"note\" = $1::text"),
        Case("neq", "count", "neq.3", "_t.\"count\" <> $1::integer"),
        Case("gt", "weight", "gt.0.5", "_t.\"weight\" > $1::double precision"),
        Case(
            "gte on a date",
            "at",
            "gte.2026-01-01",
            "_t.\"at\" >= $1::timestamp with time zone"
        ),
        Case("lt", "count", "lt.1", "_t.\"count\" < $1::integer"),
        Case("lte", "count", "lte.1", "_t.\"count\" <= $1::integer"),
        Case("like", "name", "like.*a*", "_t.\"name\" LIKE $1::text"),
        Case(
            "ilike on a uuid reads it as text",
            "id",
            "ilike.1%",
            "_t.\"id\"::text ILIKE $1::text"
        ),
        Case("match", "name", "match.^a", "_t.\"name\" ~ $1::text"),
        Case("imatch", "name", "imatch.^a", "_t.\"name\" ~* $1::text"),
        Case("in", "id", "in.(a,\"b,c\")", "_t.\"id\" = ANY($1::uuid[])"),
        Case("in without a value", "id", "in.()", "_t.\"id\" = ANY($1::uuid[])"),
        Case("is null", "note", "is.null", "_t.\"note\" IS NULL"),
        Case("is NULL in capitals", "note", "is.NULL", "_t.\"note\" IS NULL"),
        Case("is not_null", "note", "is.not_null", "_t.\"note\" IS NOT NULL"),
        Case("is true", "is_open", "is.true", "_t.\"is_open\" IS TRUE"),
        Case("is unknown", "is_open", "is.unknown", "_t.\"is_open\" IS UNKNOWN"),
        Case("not", "note", "not.is.null", "NOT (_t.\"note\" IS NULL)"),
        Case("isdistinct", "count", "isdistinct.3", "_t.\"count\" IS DISTINCT FROM $1::integer"),
        Case(
            "fts with a configuration",
            "note",
            "fts(english).cat",
            "to_tsvector($1::regconfig, _t.\"note\") @@ to_tsquery($1::regconfig, $2::text)"
        ),
        Case(
            "wfts",
            "note",
            "wfts.a b",
            "to_tsvector(_t.\"note\") @@ websearch_to_tsquery($1::text)"
        ),
        Case("cs on an array", "tags", "cs.{a,b}", "_t.\"tags\" @> $1::text[]"),
        Case("cs on JSON", "meta", "cs.{\"a\":1}", "_t.\"meta\" @> $1::jsonb"),
        Case("cd", "tags", "cd.{a}", "_t.\"tags\" <@ $1::text[]"),
        Case("ov on an array", "tags", "ov.{a}", "_t.\"tags\" && $1::text[]"),
        Case("ov on JSON", "meta", "ov.{a}", "_t.\"meta\" ?| $1::text[]"),
        Case("sl", "span", "sl.[1,2)", "_t.\"span\" << $1::int4range"),
        Case("adj", "span", "adj.[1,2)", "_t.\"span\" -|- $1::int4range"),
        Case("eq(any)", "name", "eq(any).{a,b}", "_t.\"name\" = ANY($1::character varying[])"),
        Case("like(all)", "name", "like(all).{a*,*b}", "_t.\"name\" LIKE ALL($1::text[])"),
        Case(
            "JSON path as text",
            "meta->author->>name",
            "eq.x",
            "(_t.\"meta\"->$1::text->>$2::text) = $3::text"
        ),
        Case("JSON index", "meta->0", "eq.1", "(_t.\"meta\"->$1::integer) = $2::jsonb"),
        Case(
            "path into an array",
            "tags->>0",
            "eq.a",
            "(to_jsonb(_t.\"tags\")->>$1::integer) = $2::text"
        ),
        Case(
            "or",
            "or",
            "(count.eq.1,name.like.a*)",
            "(_t.\"count\" = $1::integer OR _t.\"name\" LIKE $2::text)"
        ),
        Case(
            "nested logic",
            "and",
            "(count.gt.1,or(note.is.null,not.and(name.eq.a,name.eq.b)))",
            "(_t.\"count\" > $1::integer AND (_t.\"note\" IS NULL OR "
                + "NOT ((_t.\"name\" = $2::character varying "
                + "AND _t.\"name\" = $3::character varying))))"
        ),
        Case("not.or", "not.or", "(count.eq.1)", "NOT ((_t.\"count\" = $1::integer))"),
        Case(
            "not before a column's operator",
            "or",
            "(note.not.is.null)",
            "(NOT (_t.\"note\" IS NULL))"
        ),
        Case("not before a column", "or", "(not.note.is.null)", "(NOT (_t.\"note\" IS NULL))"),
        Case(
            "in within or",
            "or",
            "(id.in.(a,b),count.eq.1)",
            "(_t.\"id\" = ANY($1::uuid[]) OR _t.\"count\" = $2::integer)"
        ),
        Case(
            "array within or",
            "or",
            "(tags.cs.{a,b},count.eq.1)",
            "(_t.\"tags\" @> $1::text[] OR _t.\"count\" = $2::integer)"
        ),
        Case(
            "quoted value within or",
            "or",
            "(name.eq.\"a,)b\")",
            "(_t.\"name\" = $1::character varying)"
        ),
        Case(
            "JSON path within or",
            "or",
            "(meta->>a.eq.1)",
            "((_t.\"meta\"->>$1::text) = $2::text)"
        ),

        Case("unknown column", "titel", "eq.1", fails: .unknownColumn),
        Case("write-only column", "secret", "eq.1", fails: .unknownColumn),
        Case("write-only column in or", "or", "(secret.eq.1)", fails: .unknownColumn),
        Case("embedded column", "tags.name", "eq.1", fails: .unknownColumn),
        Case("case counts", "Status", "eq.1", fails: .unknownColumn),
        Case("SQL as a column", "status\" = '' OR 1=1 --", "eq.1", fails: .unknownColumn),
        Case("no name", "", "eq.1", fails: .unknownColumn),
        Case("no operator", "status", "active", fails: .invalidFilter),
        Case("unknown operator", "status", "equals.active", fails: .invalidFilter),
        Case("SQL as an operator", "status", "eq;drop table x.1", fails: .invalidFilter),
        Case("empty", "status", "", fails: .invalidFilter),
        Case("in without parentheses", "id", "in.a,b", fails: .invalidFilter),
        Case("in that does not end", "id", "in.(a,b", fails: .invalidFilter),
        Case("in with more behind", "id", "in.(a)b", fails: .invalidFilter),
        Case("in with an open quote", "id", "in.(\"a)", fails: .invalidFilter),
        Case("in on an array", "tags", "in.(a)", fails: .invalidFilter),
        Case("is something", "note", "is.nothing", fails: .invalidFilter),
        Case("modifier that is none", "name", "eq(some).{a}", fails: .invalidFilter),
        Case("neq(any)", "name", "neq(any).{a}", fails: .invalidFilter),
        Case("is(any)", "name", "is(any).null", fails: .invalidFilter),
        Case("any without braces", "name", "eq(any).a", fails: .invalidFilter),
        Case("or without parentheses", "or", "count.eq.1", fails: .invalidFilter),
        Case("or that does not end", "or", "(count.eq.1", fails: .invalidFilter),
        Case("or with more behind", "or", "(count.eq.1)x", fails: .invalidFilter),
        Case("or of nothing", "or", "()", fails: .unknownColumn),
        Case("open quote in or", "or", "(name.eq.\"a)", fails: .invalidFilter),
        Case("open brace in or", "or", "(tags.cs.{a)", fails: .invalidFilter),
        Case("->> in the middle", "meta->>a->b", "eq.1", fails: .invalidParameter),
        Case("empty step", "meta->", "eq.1", fails: .invalidParameter),
        Case(
            "10,000 values",
            "id",
            "in.(" + Array(repeating: "a", count: 10_000).joined(separator: ",") + ")",
            fails: .queryTooComplex
        ),
        Case(
            "any with 1,001 values",
            "id",
            "eq(any).{" + Array(repeating: "a", count: 1_001).joined(separator: ",") + "}",
            fails: .queryTooComplex
        ),
        Case(
            "101 comparisons",
            "or",
            "(" + Array(repeating: "count.eq.1", count: 101).joined(separator: ",") + ")",
            fails: .queryTooComplex
        ),
        Case(
            "11 levels",
            "and",
            String(repeating: "(and", count: 10) + "(count.eq.1"
                + String(repeating: ")", count: 11),
            fails: .queryTooComplex
        ),
        Case(
            "100,000 levels",
            "and",
            String(repeating: "(and", count: 100_000),
            fails: .queryTooComplex
        ),
        Case(
            "11 steps",
            "meta" + String(repeating: "->a", count: 11),
            "eq.1",
            fails: .queryTooComplex
        ),
    ]

    @Test("filters", arguments: filters)
    func filter(_ each: Case) {
        let actual = Result { () throws(Problem) in
            let query = try CollectionQuery.parse(each.pairs, entity: Things.entity())
            var builder = SQLBuilder()
            return try builder.condition(query.filters[0])
        }
        #expect(actual.mapError { Case.Code(code: $0.code) } == each.expected)
    }

    @Test func limitsThemselvesAreAllowed() throws {
        let list = Array(repeating: "a", count: 1_000).joined(separator: ",")
        _ = try CollectionQuery.parse(pairs(("name", "in.(\(list))")), entity: Things.entity())
        let many = Array(repeating: "count.eq.1", count: 100).joined(separator: ",")
        _ = try CollectionQuery.parse(pairs(("or", "(\(many))")), entity: Things.entity())
        let deep =
            String(repeating: "(and", count: 9) + "(count.eq.1" + String(repeating: ")", count: 10)
        _ = try CollectionQuery.parse(pairs(("and", deep)), entity: Things.entity())
    }

    @Test(
        "values as they arrive",
        arguments: [
            ("name", "eq.\"quoted\"", "\"quoted\""), ("name", "like.a*b", "a%b"),
            ("name", "eq.a*b", "a*b"), ("or", "(name.eq.\"a\\\"b\\\\c\")", "a\"b\\c"),
            ("or", "(name.eq.a.b:c)", "a.b:c"), ("id", "in.(a,\"b,\\\"c\",)", #"{"a","b,\"c",""}"#),
            ("or", "(meta.cs.{\"a\":{\"b\":[1,2]}},count.eq.1)", "{\"a\":{\"b\":[1,2]}}"),
            ("name", "eq(any).{\"x}\",y}", #"{"x}","y"}"#),
        ]
    )
    func values(_ name: String, _ text: String, _ expected: String) throws {
        let query = try CollectionQuery.parse(pairs((name, text)), entity: Things.entity())
        var builder = SQLBuilder()
        _ = try builder.condition(query.filters[0])
        guard case .text(let value) = builder.parameters[0] else {
            Issue.record("a text was expected")
            return
        }
        #expect(value == expected)
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let pairs: [(name: String, value: String)]
        let code: ProblemCode

        init(_ query: String, _ code: ProblemCode) {
            testDescription = query
            self.code = code
            pairs = query.split(separator: "&").map { pair in
                let parts = pair.split(
                    separator: "=",
                    maxSplits: 1,
                    omittingEmptySubsequences: false
                )
                return (String(parts[0]), String(parts[1]))
            }
        }
    }

    @Test(
        "refused parameters",
        arguments: [
            Refusal("select=tags(*)", .embeddingUnsupported),
            Refusal("select=id,other!inner(name)", .embeddingUnsupported),
            Refusal("select=...other(name)", .embeddingUnsupported),
            Refusal("select=alias:other(name)", .embeddingUnsupported),
            Refusal("select=count()", .aggregateUnsupported),
            Refusal("select=weight.sum()", .aggregateUnsupported),
            Refusal("select=total:weight.avg()", .aggregateUnsupported),
            Refusal("select=nothing", .unknownColumn),
            Refusal("select=secret", .unknownColumn),
            Refusal("select=x:secret", .unknownColumn),
            Refusal("select=id,", .unknownColumn),
            Refusal("select=id name", .unknownColumn),
            Refusal("select=id::regclass", .invalidSelect),
            Refusal("select=id::text;drop", .invalidSelect),
            Refusal("select=x:id,x:name", .invalidSelect),
            Refusal("select=a\"b:id", .invalidSelect),
            Refusal("select=meta->>\"a'b\"", .invalidSelect),
            Refusal("select=id&select=name", .invalidParameter),
            Refusal("order=nothing", .unknownColumn),
            Refusal("order=secret.desc", .unknownColumn),
            Refusal("order=name.up", .invalidOrder),
            Refusal("order=name.asc.desc", .invalidOrder),
            Refusal("order=name.nullslast.asc", .invalidOrder),
            Refusal("order=name;drop", .unknownColumn),
            Refusal("order=other(name)", .unknownColumn),
            Refusal(
                "order=name,name,name,name,name,name,name,name,name,name,name",
                .queryTooComplex
            ),
            Refusal("limit=-1", .invalidParameter), Refusal("limit=x", .invalidParameter),
            Refusal("limit=", .invalidParameter), Refusal("limit=1;drop", .invalidParameter),
            Refusal("offset=-1", .invalidParameter), Refusal("offset=100001", .invalidParameter),
            Refusal("offset=99999999999999999999", .invalidParameter),
            Refusal("offset=1&cursor=x", .invalidParameter),
            Refusal("columns=nothing", .unknownColumn), Refusal("columns=number", .generatedColumn),
        ]
    )
    func refused(_ each: Refusal) {
        #expect { try CollectionQuery.parse(each.pairs, entity: Things.entity()) } throws: {
            ($0 as? Problem)?.code == each.code && ($0 as? Problem)?.status == 400
        }
    }

    @Test func everythingTogether() throws {
        let query = try CollectionQuery.parse(
            pairs(
                ("select", "id,title:name,author:meta->author->>name,at::text,*"),
                ("order", "at.desc.nullslast,meta->>rank.nullsfirst"),
                ("limit", "20"),
                ("offset", "40"),
                ("columns", "\"name\",note"),
                ("on_conflict", "owner_id,name"),
                ("token", "ignored"),
                ("status", "eq.active")
            ),
            entity: Things.entity()
        )
        let names = query.selection?.items.prefix(4).map(\.name)
        #expect(names == ["id", "title", "author", "at"])
        #expect(query.selection?.items.contains { $0.name == "secret" } == false)
        #expect(query.order.map(\.isDescending) == [true, false])
        #expect(query.order.map(\.areNullsFirst) == [false, true])
        #expect(query.limit == 20)
        #expect(query.offset == 40)
        #expect(query.columns?.map(\.name) == ["name", "note"])
        #expect(query.conflictColumns == ["owner_id", "name"])
        #expect(query.filters.count == 1)
    }

    @Test func unknownColumnNamesThoseThatWork() {
        #expect {
            try CollectionQuery.parse(pairs(("nme", "eq.1")), entity: Things.entity())
        } throws: {
            let problem = $0 as? Problem
            return problem?.hint?.contains("name") == true
                && problem?.hint?.contains("secret") == false
                && problem?.errors.first?.field == "nme"
        }
    }
}
