import ClientTestSupport
import HTTPClient
import JSON
@testable import Neo4j
import Runtime
import Testing

@Suite("Neo4jClient against a real server", .serialized)
struct Neo4jClientTests {
    /// Runs `body` with a client of the real store, then removes this suite's nodes.
    private func withClient<Value: Sendable>(
        _ body: @escaping @Sendable (Neo4jClient) async throws(Neo4jError) -> Value
    ) async throws -> Value {
        let configuration = Neo4jConfiguration(
            url: try storeURL("FOURFOLD_TEST_NEO4J_URL"),
            user: environment("FOURFOLD_TEST_NEO4J_USER"),
            password: environment("FOURFOLD_TEST_NEO4J_PASSWORD") ?? "")
        let result = await onLoop { loop -> Result<Value, Neo4jError> in
            let http = HTTPClient(loop: loop)
            defer { http.close() }
            let client = Neo4jClient(client: http, configuration: configuration)
            do throws(Neo4jError) {
                try await client.applySchema([Self.constraint], deadline: .after(.seconds(60)))
                let value = try await body(client)
                _ = try await client.run(
                    "MATCH (n:ClientTest) DETACH DELETE n", access: .write,
                    deadline: .after(.seconds(30)))
                return .success(value)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    static let constraint =
        "CREATE CONSTRAINT client_test_id IF NOT EXISTS FOR (n:ClientTest) REQUIRE n.id IS UNIQUE"
    static let soon = Duration.seconds(30)

    @Test("ready")
    func ready() async throws {
        try await withClient { client async throws(Neo4jError) in
            try await client.checkReadiness(deadline: .after(Self.soon))
        }
    }

    @Test("parameters reach the store as data, rows and counters come back")
    func roundTrip() async throws {
        let (fields, ids, created) = try await withClient { client async throws(Neo4jError) in
            let parameters = #"{"rows":[{"id":"a'}) DETACH DELETE n //"},{"id":"ü \"\n"}]}"#
            let result = try await client.run(
                "UNWIND $p.rows AS row MERGE (n:ClientTest {id: row.id}) RETURN n.id AS id, 7 AS x",
                parameters: Array(parameters.utf8), access: .write, deadline: .after(Self.soon))
            let ids = result.rows.elements.map { row in
                row.elements.first { _ in true }?.string ?? ""
            }
            return (result.fields, ids, result.counter("nodesCreated"))
        }
        #expect(fields == ["id", "x"])
        #expect(ids == ["a'}) DETACH DELETE n //", "ü \"\n"])
        #expect(created == 2)
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let statement: String
        var access = Neo4jAccess.write
        let code: String
    }

    static let refusals: [Refusal] = [
        Refusal(
            testDescription: "syntax", statement: "RETRN 1",
            code: "Neo.ClientError.Statement.SyntaxError"),
        Refusal(
            testDescription: "missing parameter", statement: "RETURN $nothing",
            code: "Neo.ClientError.Statement.ParameterMissing"),
        Refusal(
            testDescription: "write under read", statement: "CREATE (n:ClientTest)", access: .read,
            code: "Neo.ClientError.Statement.AccessMode"),
        Refusal(
            testDescription: "map as property",
            statement: "CREATE (n:ClientTest {id: 'm', a: {b: 1}})",
            code: "Neo.ClientError.Statement.TypeError"),
        Refusal(
            testDescription: "uniqueness",
            statement: "CREATE (:ClientTest {id: 'u'}) CREATE (:ClientTest {id: 'u'})",
            code: "Neo.ClientError.Schema.ConstraintValidationFailed"),
        Refusal(
            testDescription: "division by zero after rows",
            statement: "UNWIND range(5000, 0, -1) AS x RETURN 1 / x", access: .read,
            code: "Neo.ClientError.Statement.ArithmeticError"),
    ]

    @Test("refusals carry the code", arguments: refusals)
    func refusal(_ each: Refusal) async throws {
        let code = try await withClient { client async throws(Neo4jError) in
            do throws(Neo4jError) {
                _ = try await client.run(
                    each.statement, access: each.access, deadline: .after(Self.soon))
                return "none"
            } catch {
                return error.code
            }
        }
        #expect(code == each.code)
    }

    @Test("a hostile label stays a label")
    func hostileLabel() async throws {
        let name = "X`) DETACH DELETE n //"
        let labels = try await withClient { client async throws(Neo4jError) in
            guard let label = try? CypherIdentifier.quoted(name) else { return [""] }
            let result = try await client.run(
                "CREATE (n:ClientTest:\(label) {id: 'h'}) RETURN labels(n)", access: .write,
                deadline: .after(Self.soon))
            let row = result.rows.elements.first { _ in true }
            let list = row?.elements.first { _ in true }
            return list?.elements.compactMap(\.string) ?? []
        }
        #expect(labels.sorted() == ["ClientTest", name])
    }

    @Test("a batch of 2,000 rows and a long answer")
    func batch() async throws {
        let (count, last) = try await withClient { client async throws(Neo4jError) in
            var parameters = JSONWriter()
            parameters.beginObject()
            parameters.key("rows")
            parameters.beginArray()
            for index in 0..<2_000 {
                parameters.beginObject()
                parameters.field("id", "row-\(index)")
                parameters.field("number", Int64.max - Int64(index))
                parameters.endObject()
            }
            parameters.endArray()
            parameters.endObject()
            let result = try await client.run(
                "UNWIND $p.rows AS row MERGE (n:ClientTest {id: row.id}) SET n.number = row.number "
                    + "RETURN n.id, n.number", parameters: parameters.bytes, access: .write,
                deadline: .after(.seconds(60)))
            var last: Int64?
            for row in result.rows.elements { last = Array(row.elements)[1].int }
            return (result.rowCount, last)
        }
        #expect(count == 2_000)
        #expect(last == Int64.max - 1_999)
    }
}
