import Glibc
import Runtime
import Testing

@testable import HTTPServer

@Suite("HTTPServer: requests and answers")
struct HTTPServerTests {
    @Test("50 pipelined requests are answered in order")
    func pipelining() throws {
        let server = TestServer()
        let client = try server.connect()
        let requests = (0..<50).map { "GET /count/\($0) HTTP/1.1\r\nHost: h\r\n\r\n" }
        client.send(requests.joined())
        for number in 0..<50 { #expect(try client.response().body == "\(number)") }
        client.get("/count/again")
        #expect(try client.response().body == "again")
    }

    @Test("more pipelined bytes than the backlog holds are answered too, also after end of file")
    func pipeliningBeyondBacklog() throws {
        let server = TestServer { $0.pipelinedByteCountMax = 512 }
        let client = try server.connect()
        for number in 0..<500 { client.get("/count/\(number)") }
        client.shutdownWriting()
        for number in 0..<500 { #expect(try client.response().body == "\(number)") }
        #expect(try client.readToEnd() == "")
    }

    @Test("a request split at every byte")
    func splits() throws {
        let server = TestServer()
        let request = "POST /a?b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz"
        let client = try server.connect()
        for split in 1..<request.utf8.count {
            client.send(String(request.prefix(split)))
            usleep(200)
            client.send(String(request.dropFirst(split)))
            #expect(try client.response().body == "POST /a?b xyz")
        }
    }

    @Test("a response has status, Date, its headers and length")
    func head() throws {
        let server = TestServer()
        let client = try server.connect()
        client.get("/x")
        let response = try client.response()
        #expect(response.head.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(response.header("date")?.hasSuffix(" GMT") == true)
        #expect(response.header("content-type") == "text/plain")
        #expect(response.header("content-length") == "7")
        #expect(response.header("connection") == nil)
    }

    @Test("HEAD has the length of the body and no body; 204 has neither")
    func withoutBody() throws {
        let server = TestServer()
        let client = try server.connect()
        client.send("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n")
        let response = try client.response(isHead: true)
        #expect(response.header("content-length") == "8")
        client.get("/empty")
        let empty = try client.response()
        #expect(empty.status == 204 && empty.header("content-length") == nil)
        client.send("HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(try client.response(isHead: true).header("transfer-encoding") == "chunked")
        client.get("/count/1")
        #expect(try client.response().body == "1")
    }

    @Test(
        "who keeps the connection",
        arguments: [
            ("HTTP/1.1\r\nHost: h", true, nil), ("HTTP/1.0", false, "close"),
            ("HTTP/1.1\r\nHost: h\r\nConnection: close", false, "close"),
            ("HTTP/1.0\r\nConnection: keep-alive", true, "keep-alive"),
        ] as [(String, Bool, String?)])
    func keepAlive(rest: String, isKept: Bool, header: String?) throws {
        let server = TestServer()
        let client = try server.connect()
        client.send("GET /count/1 \(rest)\r\n\r\n")
        let response = try client.response()
        #expect(response.body == "1")
        #expect(response.header("connection") == header)
        if isKept {
            client.get("/count/2")
            #expect(try client.response().body == "2")
        } else {
            #expect(try client.readToEnd() == "")
        }
    }

    @Test("100 Continue is sent when the body is awaited, not when it is there or refused")
    func expectContinue() throws {
        let server = TestServer()
        let client = try server.connect()
        let head = "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length:"
        client.send("\(head) 2\r\n\r\n")
        #expect(try client.read(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        client.send("ab")
        #expect(try client.response().body == "POST /x ab")
        client.send("\(head) 2\r\n\r\ncd")
        #expect(try client.response().body == "POST /x cd")
        client.send("\(head) 99999999\r\n\r\n")
        #expect(try client.response().status == 413)
    }

    @Test("a body over the limit is refused while it is sent, and the client sees the answer")
    func bodyTooLarge() throws {
        let server = TestServer()
        let client = try server.connect()
        client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10485760\r\n\r\n")
        client.send(String(repeating: "x", count: 10_485_760))
        let response = try client.response()
        #expect(response.status == 413)
        #expect(response.header("connection") == "close")
        #expect(response.body == HTTPServerError.bodyTooLarge.detail + "\n")
        client.shutdownWriting()
        #expect(try client.readToEnd() == "")
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let request: String
        let status: Int

        init(_ name: String, _ request: String, _ status: Int) {
            testDescription = name
            self.request = request
            self.status = status
        }
    }

    // Not in the attribute itself: Swift 6.0.3 crashes on interpolation in a macro's arguments.
    static let refusals: [Refusal] = [
        Refusal("no Host", "GET / HTTP/1.1\r\n\r\n", 400),
        Refusal("bad escape", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400),
        Refusal("unknown method", "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501),
        Refusal("HTTP/3", "GET / HTTP/3.0\r\nHost: h\r\n\r\n", 505),
        Refusal("expectation", "GET / HTTP/1.1\r\nHost: h\r\nExpect: tea\r\n\r\n", 417),
        Refusal(
            "long target",
            "GET /\(String(repeating: "a", count: 8192)) HTTP/1.1\r\nHost: h\r\n\r\n", 414),
        Refusal(
            "long header",
            "GET / HTTP/1.1\r\nHost: h\r\nX: \(String(repeating: "a", count: 16384))\r\n\r\n",
            431),
        Refusal(
            "a smuggled request",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "0\r\n\r\nGET /count/smuggled HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ]

    @Test("refusals reach the client", arguments: refusals)
    func refused(_ each: Refusal) throws {
        let server = TestServer()
        let client = try server.connect()
        client.send(each.request)
        let response = try client.response()
        #expect(response.status == each.status)
        #expect(response.header("connection") == "close")
        #expect(try client.readToEnd() == "")
        #expect(server.onLoop { $0.requestCount } == 0)
    }

    @Test("foreign memory of 8 MiB arrives whole, though no socket buffer holds it")
    func foreign() throws {
        let server = TestServer()
        let client = try server.connect()
        client.send("GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        #expect(server.eventually { server.onLoop { $0.requestCount } == 1 })
        let head = try client.read(until: "\r\n\r\n")
        #expect(head.contains("Content-Length: 8388608\r\n"))
        let body = try client.bytesToEnd()
        #expect(body.count == 8_388_608)
        #expect(body.indices.allSatisfy { body[$0] == ForeignMemory.byte(at: $0) })
    }

    @Test("a Unix socket, also where a killed server left its file")
    func unixSocket() throws {
        let path = "/tmp/http-server-test-\(getpid()).sock"
        let stale = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            bind(
                stale, UnsafeRawPointer($0).assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_un>.size))
        }
        #expect(bound == 0)
        close(stale)
        let server = TestServer(unixPath: path)
        let client = try server.connect()
        client.get("/peer")
        #expect(try client.response().body == "none")
        let isTaken = server.onLoop { (try? $0.listen(on: .unix(path: path))) == nil }
        #expect(isTaken == true)
        server.stop()
        #expect(access(path, F_OK) != 0)
    }

    @Test("the peer's address")
    func peer() throws {
        let server = TestServer()
        let client = try server.connect()
        client.get("/peer")
        #expect(try client.response().body == "127.0.0.1")
    }

    @Test("two loops listen on one port; an address that is not ours is refused")
    func reusePort() throws {
        let first = TestServer()
        let port = first.port
        let second = TestServer()
        let shared = second.onLoop { server in
            (try? server.listen(on: .ip(host: "127.0.0.1", port: port))) != nil
        }
        #expect(shared == true)
        let taken = second.onLoop { server in
            (try? server.listen(on: .ip(host: "192.0.2.1", port: port))) == nil
        }
        #expect(taken == true)
    }
}
