import ClientTestSupport
import HTTPClient
@testable import Neo4j
import Runtime
import Testing

@Suite("Neo4jClient against a stub server")
struct Neo4jClientStubTests {
    static let discovery =
        #"{"query":"http://x/db/{databaseName}/query/v2","neo4j_version":"5.26.31"}"#

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var access = Neo4jAccess.write
        let status: Int
        let body: String
        let expected: Neo4jError?
    }

    static let cases: [Case] = [
        Case(
            testDescription: "rows", status: 202,
            body: #"{"data":{"fields":["a"],"values":[[1]]}}"#, expected: nil),
        Case(
            testDescription: "no rows and an empty list of errors", status: 202,
            body: #"{"data":{"fields":[],"values":[]},"errors":[]}"#, expected: nil),
        Case(
            testDescription: "an error after rows", status: 202,
            body: #"{"data":{"fields":["a"],"values":[[1]]},"errors":[{"code":"#
                + #""Neo.ClientError.Statement.TypeError","message":"'secret'"}]}"#,
            expected: .rejected(Neo4jRejection(code: "Neo.ClientError.Statement.TypeError"))),
        Case(
            testDescription: "a document that ends early, write", status: 202,
            body: #"{"data":{"fields":["a"],"values":[[1]"#, expected: .outcomeUnknown),
        Case(
            testDescription: "a document that ends early, read", access: .read, status: 202,
            body: #"{"data":{"fields":["a"],"values":[[1]"#, expected: .invalidResponse),
        Case(
            testDescription: "another document", access: .read, status: 200, body: "{}",
            expected: .invalidResponse),
        Case(
            testDescription: "a transient error under 400", status: 400,
            body: #"{"errors":[{"code":"Neo.TransientError.Transaction.DeadlockDetected"}]}"#,
            expected: .rejected(
                Neo4jRejection(code: "Neo.TransientError.Transaction.DeadlockDetected"))),
        Case(
            testDescription: "database not there yet", status: 400,
            body: #"{"errors":[{"code":"Neo.TransientError.General.DatabaseUnavailable"}]}"#,
            expected: .unavailable),
        Case(
            testDescription: "wrong password", status: 401,
            body: #"{"errors":[{"code":"Neo.ClientError.Security.Unauthorized"}]}"#,
            expected: .unauthorized(code: "Neo.ClientError.Security.Unauthorized")),
        Case(
            testDescription: "a page of a reverse proxy", status: 502, body: "<html>",
            expected: .unavailable),
    ]

    @Test("what an answer means", arguments: cases)
    func answers(_ each: Case) async {
        let server = StubServer { connection in
            while let request = connection.receiveRequest() {
                if request.hasPrefix("GET / ") {
                    connection.respond(200, Self.discovery)
                } else {
                    connection.respond(each.status, each.body)
                }
            }
        }
        defer { server.stop() }
        #expect(await run(server, access: each.access) == each.expected)
    }

    @Test("an answer that ends early on the wire", arguments: [
        (Neo4jAccess.read, Neo4jError.unreachable), (.write, .outcomeUnknown),
    ])
    func lost(_ access: Neo4jAccess, _ expected: Neo4jError) async {
        let server = StubServer { connection in
            _ = connection.receiveRequest()
            connection.respond(200, Self.discovery)
            _ = connection.receiveRequest()
            connection.send(
                "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"dat\r\n")
        }
        defer { server.stop() }
        #expect(await run(server, access: access) == expected)
    }

    @Test("no answer in time", arguments: [(Neo4jAccess.read, false), (.write, true)])
    func slow(_ access: Neo4jAccess, _ mayHaveBeenApplied: Bool) async {
        let server = StubServer { connection in
            _ = connection.receiveRequest()
            connection.respond(200, Self.discovery)
            connection.waitForClose()
        }
        defer { server.stop() }
        let error = await run(server, access: access, within: .milliseconds(200))
        #expect(error == .timedOut(mayHaveBeenApplied: mayHaveBeenApplied))
    }

    @Test("a server without the Query API is refused by name")
    func oldServer() async {
        let server = StubServer { connection in
            _ = connection.receiveRequest()
            connection.respond(200, #"{"transaction":"http://x/tx","neo4j_version":"4.4.30"}"#)
        }
        defer { server.stop() }
        #expect(await run(server) == .unsupportedServer(version: "4.4.30"))
    }

    @Test("the breaker opens after failures in a row and says when to come back")
    func breaker() async {
        let server = StubServer { _ in }
        server.stop()
        let url = server.url
        let (last, state) = await onLoop { loop in
            let http = HTTPClient(loop: loop)
            defer { http.close() }
            var configuration = Neo4jConfiguration(url: url)
            configuration.breaker.failureCountMax = 2
            let client = Neo4jClient(client: http, configuration: configuration)
            var last: Neo4jError?
            for _ in 0..<3 { last = await runError(client) }
            return (last, client.breakerState)
        }
        guard case .breakerOpen(let retryAfter) = last else {
            Issue.record("expected an open breaker, got \(String(describing: last))")
            return
        }
        #expect(retryAfter > .zero && retryAfter <= .milliseconds(500))
        #expect(state.rawValue == "open")
    }

    @Test("a URL of another protocol", arguments: ["bolt://127.0.0.1:7687", "neo4j://x", ""])
    func wrongURL(_ url: String) async {
        let error = await onLoop { loop in
            let http = HTTPClient(loop: loop)
            defer { http.close() }
            return await runError(
                Neo4jClient(client: http, configuration: Neo4jConfiguration(url: url)))
        }
        #expect(error == .invalidConfiguration)
    }

    private func run(
        _ server: StubServer, access: Neo4jAccess = .write, within: Duration = .seconds(10)
    ) async -> Neo4jError? {
        let url = server.url
        return await onLoop { loop in
            let http = HTTPClient(loop: loop)
            defer { http.close() }
            let client = Neo4jClient(client: http, configuration: Neo4jConfiguration(url: url))
            return await runError(client, access: access, within: within)
        }
    }
}

private func runError(
    _ client: Neo4jClient, access: Neo4jAccess = .write, within: Duration = .seconds(10)
) async -> Neo4jError? {
    do throws(Neo4jError) {
        _ = try await client.run("RETURN 1", access: access, deadline: .after(within))
        return nil
    } catch {
        return error
    }
}
