import ClientTestSupport
import HTTPClient
import Runtime
import Testing
@testable import Weaviate

@Suite("WeaviateClient against a stub server")
struct WeaviateClientStubTests {
    static let first = "00000000-0000-4000-8000-000000000001"
    static let second = "00000000-0000-4000-8000-000000000002"

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let status: Int
        let body: String
        let expected: Result<[String?], WeaviateError>
    }

    private static func entry(_ id: String, _ result: String) -> String {
        #"{"id":"\#(id)","result":\#(result)}"#
    }

    static let succeeded = #"{"status":"SUCCESS"}"#

    static let cases: [Case] = [
        Case(
            testDescription: "side by side", status: 200,
            body: "[\(entry(first, succeeded)),"
                + entry(
                    second,
                    #"{"status":"FAILED","errors":{"error":[{"message":"not enough memory"}]}}"#)
                + "]", expected: .success([nil, "out_of_memory"])),
        Case(
            testDescription: "errors without the status", status: 200,
            body: "[\(entry(first, succeeded)),"
                + entry(second, #"{"errors":{"error":[{"message":"no such prop"}]}}"#) + "]",
            expected: .success([nil, "unknown_property"])),
        Case(
            testDescription: "the status without errors", status: 200,
            body: "[\(entry(first, succeeded)),\(entry(second, #"{"status":"FAILED"}"#))]",
            expected: .success([nil, "unclassified"])),
        Case(
            testDescription: "too few entries", status: 200, body: "[\(entry(first, succeeded))]",
            expected: .failure(.outcomeUnknown)),
        Case(
            testDescription: "another order", status: 200,
            body: "[\(entry(second, succeeded)),\(entry(first, succeeded))]",
            expected: .failure(.outcomeUnknown)),
        Case(
            testDescription: "half a document", status: 200, body: "[{",
            expected: .failure(.outcomeUnknown)),
        Case(
            testDescription: "memory", status: 500,
            body: #"{"error":[{"message":"not enough memory"}]}"#,
            expected: .failure(
                .rejected(WeaviateRejection(code: "out_of_memory", kind: .transient)))),
        Case(
            testDescription: "bad key", status: 401, body: "{}", expected: .failure(.unauthorized)),
        Case(
            testDescription: "maintenance", status: 503, body: "",
            expected: .failure(.unavailable)),
    ]

    @Test("what the answer to a batch means", arguments: cases)
    func batch(_ each: Case) async {
        let server = StubServer { connection in
            _ = connection.receiveRequest()
            connection.respond(each.status, each.body)
        }
        defer { server.stop() }
        #expect(await upsert(server, ids: [Self.first, Self.second]) == each.expected)
    }

    @Test("the connection ends after a batch was sent")
    func lost() async {
        let server = StubServer { _ = $0.receiveRequest() }
        defer { server.stop() }
        #expect(await upsert(server, ids: [Self.first]) == .failure(.outcomeUnknown))
    }

    @Test("an object that cannot be sent fails alone")
    func unsendable() async {
        let server = StubServer { connection in
            _ = connection.receiveRequest()
            connection.respond(200, "[\(Self.entry(Self.second, Self.succeeded))]")
        }
        defer { server.stop() }
        let outcome = await upsert(server, ids: ["no uuid", Self.second])
        #expect(outcome == .success(["invalid_id", nil]))
    }

    private func upsert(
        _ server: StubServer, ids: [String]
    ) async -> Result<[String?], WeaviateError> {
        let url = server.url
        return await onLoop { loop in
            let http = HTTPClient(loop: loop)
            defer { http.close() }
            let client = WeaviateClient(
                client: http, configuration: WeaviateConfiguration(url: url))
            let objects = ids.map { WeaviateObject(id: $0, properties: Array("{}".utf8)) }
            do throws(WeaviateError) {
                let outcomes = try await client.upsert(
                    className: "Thing", objects, deadline: .after(.seconds(10)))
                return .success(outcomes.map { $0?.code })
            } catch {
                return .failure(error)
            }
        }
    }
}
