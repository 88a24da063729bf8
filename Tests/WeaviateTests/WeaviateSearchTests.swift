@testable import Weaviate
import Testing

@Suite("Weaviate texts and names")
struct WeaviateSearchTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let search: WeaviateSearch
        /// Nil where the search must be refused.
        let expected: String?
    }

    static let end = "{name _additional{id distance score}}}}"
    static let hostile = "\"}) { x } } # \\ \n\u{0}\u{7F}ü"
    static let hostileLiteral = #""\"}) { x } } # \\ \u000a\u0000\u007fü""#

    private static func make(
        _ ranking: WeaviateSearch.Ranking, className: String = "Thing",
        properties: [String] = ["name"], filter: WeaviateFilter? = nil, limit: Int = 5
    ) -> WeaviateSearch {
        WeaviateSearch(
            className: className, ranking: ranking, properties: properties, filter: filter,
            limit: limit)
    }

    static let cases: [Case] = [
        Case(
            testDescription: "near a vector", search: make(.nearVector([0.1, -2, 1e-10])),
            expected: "{Get{Thing(limit:5,nearVector:{vector:[0.1,-2.0,1e-10]})" + end),
        Case(
            testDescription: "near a vector within a distance",
            search: make(.nearVector([1], distanceMax: 0.6)),
            expected: "{Get{Thing(limit:5,nearVector:{vector:[1.0],distance:0.6})" + end),
        Case(
            testDescription: "keywords, hostile", search: make(.bm25(query: hostile)),
            expected: "{Get{Thing(limit:5,bm25:{query:\(hostileLiteral)})" + end),
        Case(
            testDescription: "hybrid",
            search: make(.hybrid(query: "a", alpha: 0.5, vector: [1], properties: ["name"])),
            expected: "{Get{Thing(limit:5,hybrid:{query:\"a\",properties:[\"name\"],"
                + "alpha:0.5,vector:[1.0]})" + end),
        Case(
            testDescription: "filters, hostile value",
            search: make(
                .bm25(query: "a"),
                filter: .all([
                    .compare(property: "owner", .equal, .text(hostile)),
                    .any([
                        .compare(property: "n", .greaterThan, .int(-7)),
                        .compare(property: "x", .lessThan, .number(1.5)),
                        .containsAny(property: "tags", ["a\"", "b"]),
                        .isNull(property: "gone", true),
                    ]),
                ])),
            expected: "{Get{Thing(limit:5,bm25:{query:\"a\"},where:{operator:And,operands:["
                + "{path:[\"owner\"],operator:Equal,valueText:\(hostileLiteral)},"
                + "{operator:Or,operands:[{path:[\"n\"],operator:GreaterThan,valueInt:-7},"
                + "{path:[\"x\"],operator:LessThan,valueNumber:1.5},"
                + "{path:[\"tags\"],operator:ContainsAny,valueText:[\"a\\\"\",\"b\"]},"
                + "{path:[\"gone\"],operator:IsNull,valueBoolean:true}]}]})" + end),
        Case(
            testDescription: "class is no name",
            search: make(.bm25(query: "a"), className: "Thing{x}"), expected: nil),
        Case(
            testDescription: "class in lower case",
            search: make(.bm25(query: "a"), className: "thing"), expected: nil),
        Case(
            testDescription: "property is no name",
            search: make(.bm25(query: "a"), properties: ["name} x"]), expected: nil),
        Case(
            testDescription: "searched property is no name",
            search: make(.bm25(query: "a", properties: ["na\"me"])), expected: nil),
        Case(
            testDescription: "filter property is no name",
            search: make(.bm25(query: "a"), filter: .isNull(property: "a b", true)),
            expected: nil),
        Case(
            testDescription: "empty connective",
            search: make(.bm25(query: "a"), filter: .all([])), expected: nil),
        Case(
            testDescription: "filter too deep",
            search: make(
                .bm25(query: "a"),
                filter: (0..<8).reduce(.isNull(property: "a", true)) { deep, _ in .all([deep]) }),
            expected: nil),
        Case(
            testDescription: "not a number in the vector", search: make(.nearVector([1, .nan])),
            expected: nil),
        Case(testDescription: "empty vector", search: make(.nearVector([])), expected: nil),
        Case(
            testDescription: "infinite distance",
            search: make(.nearVector([1], distanceMax: .infinity)), expected: nil),
        Case(
            testDescription: "not a number in a filter",
            search: make(
                .bm25(query: "a"), filter: .compare(property: "a", .equal, .number(.nan))),
            expected: nil),
        Case(
            testDescription: "alpha beyond 1",
            search: make(.hybrid(query: "a", alpha: 1.01, vector: [1])), expected: nil),
        Case(
            testDescription: "alpha is no number",
            search: make(.hybrid(query: "a", alpha: .nan, vector: [1])), expected: nil),
        Case(
            testDescription: "limit 0", search: make(.bm25(query: "a"), limit: 0), expected: nil),
        Case(
            testDescription: "limit beyond", search: make(.bm25(query: "a"), limit: 10_001),
            expected: nil),
        Case(
            testDescription: "query too long",
            search: make(.bm25(query: String(repeating: "x", count: 16_385))), expected: nil),
    ]

    @Test("GraphQL", arguments: cases)
    func graphQL(_ each: Case) {
        let actual = try? each.search.graphQL()
        #expect(actual == each.expected)
    }

    static let messages: [(String, String, WeaviateRejection.Kind)] = [
        ("no such prop with name 'timeout' found in class 'X'", "unknown_property", .permanent),
        ("invalid text property 'a' on class 'B': not a string", "invalid_property", .permanent),
        ("class 'X' not present in schema", "unknown_class", .permanent),
        ("id '1' is not a valid uuid", "invalid_id", .permanent),
        ("new node has a vector with length 4. Existing nodes have vectors with length 3",
            "vector_length_mismatch", .permanent),
        ("class name X already exists", "already_exists", .alreadyExists),
        ("store is read-only due to: disk usage too high", "read_only", .transient),
        ("not enough memory", "out_of_memory", .transient),
        ("context deadline exceeded", "timeout", .transient),
        ("connection to: x failed with status: 429", "too_many_requests", .transient),
        ("leader not found", "no_leader", .transient),
        ("something else", "unclassified", .unclassified),
    ]

    @Test("meaning of messages", arguments: messages)
    func classification(_ message: String, _ code: String, _ kind: WeaviateRejection.Kind) {
        #expect(WeaviateRejection.classify(message) == WeaviateRejection(code: code, kind: kind))
    }

    static let statuses: [(Int, String, WeaviateRejection.Kind)] = [
        (400, "unheard", .permanent), (404, "", .notFound), (413, "", .tooLarge),
        (422, "class name X already exists", .alreadyExists), (422, "unheard", .permanent),
        (429, "", .transient), (500, "not enough memory", .transient),
        (500, "unheard", .unclassified),
    ]

    @Test("meaning of statuses", arguments: statuses)
    func status(_ status: Int, _ message: String, _ kind: WeaviateRejection.Kind) {
        #expect(WeaviateRejection.classify(status: status, message).kind == kind)
    }

    static let ids: [(String, Bool)] = [
        ("0f8fad5b-d9cb-469f-a165-70867728950e", true),
        ("0F8FAD5B-D9CB-469F-A165-70867728950E", true),
        ("0f8fad5b-d9cb-469f-a165-70867728950", false),
        ("0f8fad5bd9cb469fa16570867728950e", false),
        ("0f8fad5b-d9cb-469f-a165-7086772895/e", false),
        ("0f8fad5b-d9cb-469f-a165-70867728950g", false),
        ("", false),
    ]

    @Test("object ids", arguments: ids)
    func objectID(_ id: String, _ expected: Bool) {
        #expect(WeaviateName.isObjectID(id) == expected)
    }
}
