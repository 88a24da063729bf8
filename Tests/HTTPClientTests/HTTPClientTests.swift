import ClientTestSupport
@testable import HTTPClient
import Runtime
import Testing

@Suite("HTTPClient against a stub server")
struct HTTPClientTests {
    private func send(
        _ server: StubServer, _ method: HTTPClientRequest.Method = .get, path: String = "/",
        body: String = "", within: Duration = .seconds(10),
        configure: @escaping @Sendable (inout HTTPClientConfiguration) -> Void = { _ in }
    ) async -> Result<HTTPClientResponse, HTTPClientError> {
        let url = server.url + path
        return await onLoop { loop in
            var configuration = HTTPClientConfiguration()
            configure(&configuration)
            let client = HTTPClient(loop: loop, configuration: configuration)
            defer { client.close() }
            return await outcome(
                client,
                HTTPClientRequest(
                    method, url, headers: [("X-Case", "1")], body: Array(body.utf8),
                    deadline: .after(within)))
        }
    }

    @Test("method, path, headers and body arrive; status, headers and body come back")
    func roundTrip() async throws {
        let seen = Lock("")
        let server = StubServer { connection in
            let request = connection.receiveRequest() ?? ""
            seen.withLock { $0 = request }
            connection.send(
                "HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n"
                    + "HTTP/1.1 207 Multi\r\nX-Kind:  a b \r\nContent-Length: 5\r\n\r\nhello")
        }
        defer { server.stop() }
        let response = try await send(server, .patch, path: "/a?b=c%20d", body: "{\"x\":1}").get()
        #expect(response.status == 207)
        #expect(response.header("x-kind") == "a b")
        #expect(response.header("x-interim") == nil)
        #expect(response.body == Array("hello".utf8))
        let request = seen.withLock { $0 }
        #expect(request.hasPrefix("PATCH /a?b=c%20d HTTP/1.1\r\n"))
        #expect(request.contains("X-Case: 1\r\n"))
        #expect(!request.contains("Expect"))
        #expect(!request.contains("Content-Type"))
        #expect(request.hasSuffix("\r\n\r\n{\"x\":1}"))
    }

    @Test("a connection is kept and used again")
    func keepsAlive() async {
        let server = StubServer { connection in
            while connection.receiveRequest() != nil { connection.respond(200, "{}") }
        }
        defer { server.stop() }
        let url = server.url
        let statuses = await onLoop { loop in
            let client = HTTPClient(loop: loop)
            defer { client.close() }
            var statuses: [Int] = []
            for method in [HTTPClientRequest.Method.post, .delete, .get, .put] {
                let request = HTTPClientRequest(method, url, deadline: .after(.seconds(10)))
                statuses.append((try? await outcome(client, request).get())?.status ?? 0)
            }
            return statuses
        }
        #expect(statuses == [200, 200, 200, 200])
        #expect(server.connectionCount == 1)
    }

    @Test("nobody listens")
    func refused() async {
        let server = StubServer { _ in }
        server.stop()
        let outcome = await send(server)
        #expect(outcome.error == .unreachable)
    }

    @Test("the connection ends after the request was sent")
    func lost() async {
        let server = StubServer { _ = $0.receiveRequest() }
        defer { server.stop() }
        #expect(await send(server, .post).error == .connectionLost(mayHaveBeenApplied: true))
    }

    @Test("the connection ends in the middle of the answer")
    func truncated() async {
        let server = StubServer { connection in
            _ = connection.receiveRequest()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"data\":")
        }
        defer { server.stop() }
        #expect(await send(server, .post).error == .connectionLost(mayHaveBeenApplied: true))
    }

    @Test("no answer before the deadline")
    func slow() async {
        let server = StubServer { connection in
            _ = connection.receiveRequest()
            connection.waitForClose()
        }
        defer { server.stop() }
        let outcome = await send(server, .post, within: .milliseconds(100))
        #expect(outcome.error == .timedOut(mayHaveBeenApplied: true))
    }

    @Test("a deadline that has passed sends nothing")
    func passed() async {
        let server = StubServer { $0.waitForClose() }
        defer { server.stop() }
        let outcome = await send(server, .post, within: .zero)
        #expect(outcome.error == .timedOut(mayHaveBeenApplied: false))
        #expect(server.connectionCount == 0)
    }

    @Test("an answer beyond the bound", arguments: ["Content-Length: 2000\r\n\r\n", "X-Long: "])
    func tooLarge(_ lastHeader: String) async {
        let answer = "HTTP/1.1 200 OK\r\n" + lastHeader
            + String(repeating: "x", count: 2_000) + "\r\n"
        let server = StubServer { connection in
            _ = connection.receiveRequest()
            connection.send(answer)
            connection.waitForClose()
        }
        defer { server.stop() }
        let outcome = await send(server) {
            $0.responseByteCountMax = 1_000
            $0.responseHeaderByteCountMax = 1_000
        }
        #expect(outcome.error == .responseTooLarge)
    }

    @Test("a redirect is an answer")
    func redirect() async throws {
        let server = StubServer { connection in
            _ = connection.receiveRequest()
            connection.send(
                "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n")
        }
        defer { server.stop() }
        let response = try await send(server).get()
        #expect(response.status == 302)
        #expect(server.connectionCount == 1)
    }

    @Test("cancelling the task closes the connection")
    func cancellation() async {
        let isReceived = Lock(false)
        let server = StubServer { connection in
            _ = connection.receiveRequest()
            isReceived.withLock { $0 = true }
            connection.waitForClose()
        }
        defer { server.stop() }
        let url = server.url
        let (error, pending) = await onLoop { loop in
            let client = HTTPClient(loop: loop)
            defer { client.close() }
            let result = Lock<HTTPClientError?>(nil)
            let task = loop.spawn {
                let request = HTTPClientRequest(.post, url, deadline: .after(.seconds(60)))
                let error = await outcome(client, request).error
                result.withLock { $0 = error }
            }
            while !isReceived.withLock({ $0 }) { try? await loop.sleep(for: .milliseconds(2)) }
            task.cancel()
            await task.value
            return (result.withLock { $0 }, client.pendingCount)
        }
        #expect(error == .cancelled(mayHaveBeenApplied: true))
        #expect(pending == 0)
    }

    @Test("the queue is bounded, waits its turn, and a deadline ends the wait unsent")
    func queue() async {
        let server = StubServer { connection in
            _ = connection.receiveRequest()
            connection.waitForClose()
        }
        defer { server.stop() }
        let url = server.url
        let errors = await onLoop { loop in
            var configuration = HTTPClientConfiguration()
            configuration.inFlightMax = 1
            configuration.queueMax = 1
            let client = HTTPClient(loop: loop, configuration: configuration)
            defer { client.close() }
            return await withTaskGroup(of: (Int, HTTPClientError?).self) { group in
                for index in 0..<3 {
                    group.addTask {
                        let wait: Duration = index == 0 ? .milliseconds(300) : .milliseconds(100)
                        let request = HTTPClientRequest(.post, url, deadline: .after(wait))
                        return (index, await outcome(client, request).error)
                    }
                }
                var errors = [HTTPClientError?](repeating: nil, count: 3)
                for await (index, error) in group { errors[index] = error }
                return errors
            }
        }
        #expect(errors[0] == .timedOut(mayHaveBeenApplied: true))
        #expect(errors[1] == .timedOut(mayHaveBeenApplied: false))
        #expect(errors[2] == .overloaded)
    }

    @Test("many requests at once share few connections")
    func burst() async {
        let server = StubServer { connection in
            while connection.receiveRequest() != nil { connection.respond(200, "{}") }
        }
        defer { server.stop() }
        let url = server.url
        let count = await onLoop { loop in
            let client = HTTPClient(loop: loop)
            defer { client.close() }
            return await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<300 {
                    group.addTask {
                        let request = HTTPClientRequest(
                            .post, url, body: [1], deadline: .after(.seconds(30)))
                        return await outcome(client, request).error == nil
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
        }
        #expect(count == 300)
        #expect(server.connectionCount <= HTTPClientConfiguration().connectionsPerHostMax)
    }

    @Test("what is refused before anything is sent", arguments: [
        ("file:///etc/passwd", "v"), ("ftp://127.0.0.1/", "v"), ("nonsense", "v"), ("", "v"),
        ("http://127.0.0.1/a b", "v"), ("http://127.0.0.1/\r\nX: y", "v"),
        ("http://127.0.0.1:1/", "a\r\nX-Forged: 1"), ("http://127.0.0.1:1/", "a\0b"),
    ])
    func invalid(_ url: String, _ value: String) async {
        let error = await onLoop { loop in
            let client = HTTPClient(loop: loop)
            defer { client.close() }
            let request = HTTPClientRequest(
                .get, url, headers: [("X-Value", value)], deadline: .after(.seconds(5)))
            return await outcome(client, request).error
        }
        #expect(error == .invalidRequest)
    }

    @Test("base64 of credentials", arguments: [
        ("a", "", "Basic YTo="), ("ab", "c", "Basic YWI6Yw=="),
        ("neo4j", "pass", "Basic bmVvNGo6cGFzcw=="),
    ])
    func authorization(_ user: String, _ password: String, _ expected: String) {
        #expect(basicAuthorization(user: user, password: password) == expected)
    }

    @Test("percent encoding", arguments: [("a-b_c.~9", "a-b_c.~9"), ("a/ü?", "a%2F%C3%BC%3F")])
    func percent(_ text: String, _ expected: String) {
        #expect(percentEncoded(text) == expected)
    }
}

private func outcome(
    _ client: HTTPClient, _ request: HTTPClientRequest
) async -> Result<HTTPClientResponse, HTTPClientError> {
    do throws(HTTPClientError) {
        return .success(try await client.send(request))
    } catch {
        return .failure(error)
    }
}

extension Result {
    fileprivate var error: Failure? {
        if case .failure(let error) = self { return error }
        return nil
    }
}
