import Glibc
import Testing

@testable import HTTPServer

@Suite("HTTPServer: answers without a task")
struct HTTPDirectHandlerTests {
    @Test("direct answers keep their place among others", arguments: ["now", "later"])
    func order(_ when: String) throws {
        let server = TestServer()
        let client = try server.connect()
        for number in 0..<50 {
            client.get(number % 3 == 0 ? "/count/\(number)" : "/direct/\(when)/\(number)")
        }
        for number in 0..<50 { #expect(try client.response().body == "\(number)") }
    }

    @Test("thousands of requests sent ahead are answered in turn, not inside each other")
    func noRecursion() throws {
        let server = TestServer { $0.pipelinedByteCountMax = 1 << 20 }
        let client = try server.connect()
        let requests = (0..<8_000).map { "GET /direct/now/\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }
        client.send(requests.joined())
        for number in 0..<8_000 { #expect(try client.response().body == "\(number)") }
    }

    @Test("what is declined is the handler's, with its body")
    func declined() throws {
        let server = TestServer()
        let client = try server.connect()
        client.get("/direct/never/1")
        #expect(try client.response().body == "GET /direct/never/1 ")
        client.send("POST /direct/never/1 HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
        #expect(try client.response().body == "POST /direct/never/1 x")
    }

    @Test("a body can be taken")
    func body() throws {
        let server = TestServer()
        let client = try server.connect()
        for number in 0..<3 {
            client.send(
                "POST /direct/later/\(number) HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
            #expect(try client.response().body == "\(number)")
        }
    }

    @Test("HEAD has the length alone")
    func head() throws {
        let server = TestServer()
        let client = try server.connect()
        client.send("HEAD /direct/later/1234 HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.response(isHead: true).header("content-length") == "4")
    }

    @Test("a client that left before its answer does no harm")
    func clientLeft() throws {
        let server = TestServer()
        for _ in 0..<20 {
            let client = try server.connect()
            client.get("/direct/later/1")
        }
        let client = try server.connect()
        client.get("/direct/later/2")
        #expect(try client.response().body == "2")
        client.close()
        #expect(server.eventually { server.onLoop { $0.connectionCount } == 0 })
    }

    @Test("a half-closed client gets its answer")
    func halfClosed() throws {
        let server = TestServer()
        let client = try server.connect()
        client.get("/direct/later/1")
        client.shutdownWriting()
        #expect(try client.response().body == "1")
    }
}
