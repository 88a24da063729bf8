import ClientTestSupport
import HTTPClient
import JSON
import Runtime
import Testing
@testable import Weaviate

@Suite("WeaviateClient against a real server", .serialized)
struct WeaviateClientTests {
    static let className = "ClientTestThing"
    static let owner = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
    static let stranger = "6f9619ff-8b86-d011-b42d-00c04fc964fe"

    static func definition(extra: String = "") -> [UInt8] {
        Array(
            """
            {"class":"\(className)","vectorizer":"none","vectorIndexConfig":{"distance":"cosine"},
             "invertedIndexConfig":{"indexNullState":true},"properties":[
              {"name":"owner","dataType":["uuid"]},
              {"name":"name","dataType":["text"],"tokenization":"word"},
              {"name":"revision","dataType":["int"]}\(extra)]}
            """.utf8)
    }

    static func id(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return "00000000-0000-4000-8000-"
            + String(repeating: "0", count: 12 - digits.count) + digits
    }

    static func thing(_ number: Int, name: String, owner: String = owner) -> WeaviateObject {
        var json = JSONWriter()
        json.beginObject()
        json.field("owner", owner)
        json.field("name", name)
        json.field("revision", number)
        json.endObject()
        return WeaviateObject(
            id: id(number), properties: json.bytes, vector: [1, Float(number) * 0.1, 0])
    }

    static var soon: Deadline { .after(.seconds(30)) }

    /// Runs `body` with a client of the real store and an empty class, and removes it afterwards.
    private func withClient<Value: Sendable>(
        _ body: @escaping @Sendable (WeaviateClient) async throws(WeaviateError) -> Value
    ) async throws -> Value {
        let configuration = WeaviateConfiguration(
            url: try storeURL("FOURFOLD_TEST_WEAVIATE_URL"),
            apiKey: environment("FOURFOLD_TEST_WEAVIATE_API_KEY"))
        let result = await onLoop { loop -> Result<Value, WeaviateError> in
            let http = HTTPClient(loop: loop)
            defer { http.close() }
            let client = WeaviateClient(client: http, configuration: configuration)
            do throws(WeaviateError) {
                try await client.deleteClass(Self.className, deadline: Self.soon)
                _ = try await client.ensureClass(Self.definition(), deadline: Self.soon)
                let value = try await body(client)
                try await client.deleteClass(Self.className, deadline: Self.soon)
                return .success(value)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    @Test("ready, with a version")
    func ready() async throws {
        let version = try await withClient { client async throws(WeaviateError) in
            try await client.checkReadiness(deadline: Self.soon)
            return try await client.meta(deadline: Self.soon)["version"]?.string ?? ""
        }
        #expect(version.hasPrefix("1."))
    }

    @Test("a class is made once, grows, and does not change its types")
    func schema() async throws {
        let changes = try await withClient { client async throws(WeaviateError) in
            var changes = [String(describing: try await client.ensureClass(
                Self.definition(), deadline: Self.soon))]
            let grown = Self.definition(extra: #",{"name":"extra","dataType":["text"]}"#)
            for _ in 0..<2 {
                let change = try await client.ensureClass(grown, deadline: Self.soon)
                changes.append(String(describing: change))
            }
            do throws(WeaviateError) {
                let other = Self.definition(extra: #",{"name":"extra","dataType":["int"]}"#)
                _ = try await client.ensureClass(other, deadline: Self.soon)
            } catch {
                changes.append(error.code)
            }
            let names = try await client.classNames(deadline: Self.soon)
            changes.append(String(names.contains(Self.className)))
            return changes
        }
        #expect(changes == [
            #"kept(addedProperties: [])"#, #"kept(addedProperties: ["extra"])"#,
            #"kept(addedProperties: [])"#, "schema_mismatch", "true",
        ])
    }

    @Test("objects are written, replaced, read, listed and removed; mistakes fail alone")
    func objects() async throws {
        try await withClient { client async throws(WeaviateError) in
            var wrong = Self.thing(3, name: "c")
            wrong.properties = Array(#"{"unheard":1,"revision":"text"}"#.utf8)
            var longer = Self.thing(4, name: "d")
            longer.vector = [1, 2, 3, 4]
            let outcomes = try await client.upsert(
                className: Self.className,
                [Self.thing(1, name: "a \"quoted\" ü"), Self.thing(2, name: "b"), wrong],
                deadline: Self.soon)
            #expect(outcomes.map { $0?.kind } == [nil, nil, .permanent])
            let mismatch = try await client.upsert(
                className: Self.className, [longer], deadline: Self.soon)
            #expect(mismatch.first??.code == "vector_length_mismatch")

            var replacement = Self.thing(1, name: "new")
            replacement.properties = Array(#"{"name":"new"}"#.utf8)
            _ = try await client.upsert(
                className: Self.className, [replacement], deadline: Self.soon)
            let stored = try await client.object(
                className: Self.className, id: Self.id(1), includeVector: true,
                deadline: Self.soon)
            #expect(stored?.properties["name"]?.string == "new")
            #expect(stored?.properties["owner"]?.string == nil)
            #expect(stored?.vector == [1, 0.1, 0])

            let page = try await client.list(
                className: Self.className, limit: 1, deadline: Self.soon)
            let next = try await client.list(
                className: Self.className, after: page.last?.id ?? "", limit: 10,
                deadline: Self.soon)
            #expect(page.map(\.id) == [Self.id(1)])
            #expect(next.map(\.id) == [Self.id(2)])

            for _ in 0..<2 {
                try await client.delete(
                    className: Self.className, id: Self.id(1), deadline: Self.soon)
            }
            let gone = try await client.object(
                className: Self.className, id: Self.id(1), deadline: Self.soon)
            #expect(gone == nil)
        }
    }

    @Test("deletion by ids and by owner")
    func deletion() async throws {
        try await withClient { client async throws(WeaviateError) in
            let things = (1...5).map {
                Self.thing($0, name: "x", owner: $0 == 5 ? Self.stranger : Self.owner)
            }
            _ = try await client.upsert(
                className: Self.className, things, deadline: Self.soon)
            let byID = try await client.deleteBatch(
                className: Self.className,
                filter: .containsAny(property: "id", [Self.id(1), Self.id(2), Self.id(99)]),
                deadline: Self.soon)
            #expect(byID == WeaviateDeletion(matchCount: 2, deletedCount: 2, failedCount: 0))
            let byOwner = try await client.deleteBatch(
                className: Self.className,
                filter: .compare(property: "owner", .equal, .text(Self.owner)),
                deadline: Self.soon)
            #expect(byOwner.deletedCount == 2)
            let left = try await client.list(className: Self.className, deadline: Self.soon)
            #expect(left.map(\.id) == [Self.id(5)])
        }
    }

    @Test("searches rank, filter by owner and take hostile text as text")
    func searches() async throws {
        try await withClient { client async throws(WeaviateError) in
            let hostile = "\"}) { x } } # \\ \n"
            let things = [
                Self.thing(1, name: "red mural"), Self.thing(5, name: "blue mural"),
                Self.thing(9, name: "tax form"),
                Self.thing(2, name: "red mural", owner: Self.stranger),
            ]
            let written = try await client.upsert(
                className: Self.className, things, deadline: Self.soon)
            #expect(written.allSatisfy { $0 == nil })
            let own = WeaviateFilter.compare(property: "owner", .equal, .text(Self.owner))
            let near = try await client.search(
                WeaviateSearch(
                    className: Self.className, ranking: .nearVector([1, 0.1, 0]),
                    properties: ["name", "revision"], filter: own, limit: 2),
                deadline: Self.soon)
            #expect(near.map(\.id) == [Self.id(1), Self.id(5)])
            #expect((near.first?.distance ?? 1) < 0.001)
            #expect(near.first?.properties["name"]?.string == "red mural")
            let words = try await client.search(
                WeaviateSearch(
                    className: Self.className, ranking: .bm25(query: "tax", properties: ["name"]),
                    filter: own), deadline: Self.soon)
            #expect(words.map(\.id) == [Self.id(9)])
            #expect((words.first?.score ?? 0) > 0)
            let both = try await client.search(
                WeaviateSearch(
                    className: Self.className,
                    ranking: .hybrid(query: "mural", alpha: 0.5, vector: [1, 0.5, 0]),
                    filter: .all([own, .compare(property: "revision", .lessThan, .int(9))])),
                deadline: Self.soon)
            #expect(both.map(\.id) == [Self.id(5), Self.id(1)])
            for ranking in [
                WeaviateSearch.Ranking.bm25(query: hostile),
                .hybrid(query: hostile, alpha: 0, vector: [1, 0, 0]),
            ] {
                let filter = WeaviateFilter.compare(property: "name", .equal, .text(hostile))
                let hits = try await client.search(
                    WeaviateSearch(
                        className: Self.className, ranking: ranking, properties: ["name"],
                        filter: filter), deadline: Self.soon)
                #expect(hits.isEmpty)
            }
        }
    }

    @Test("a search in a class that is not there")
    func unknownClass() async throws {
        let code = try await withClient { client async throws(WeaviateError) in
            do throws(WeaviateError) {
                _ = try await client.search(
                    WeaviateSearch(className: "ClientTestNothing", ranking: .bm25(query: "a")),
                    deadline: Self.soon)
                return "none"
            } catch {
                return error.code
            }
        }
        #expect(code == "unknown_class_or_property")
    }
}
