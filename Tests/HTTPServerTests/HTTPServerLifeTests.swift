import Glibc
import Runtime
import Testing

@testable import HTTPServer

@Suite("HTTPServer: time, leaving and draining")
struct HTTPServerLifeTests {
    @Test("a header that drips is refused although each byte is in time")
    func headerDrip() throws {
        let server = TestServer { $0.headerTimeout = .milliseconds(150) }
        let client = try server.connect()
        for byte in "GET / HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaa" {
            client.send(String(byte))
            usleep(10_000)
        }
        #expect(try client.response().status == 408)
        #expect(try client.readToEnd() == "")
    }

    @Test("a body that does not come is refused")
    func bodyTimeout() throws {
        let server = TestServer { $0.bodyTimeout = .milliseconds(50) }
        let client = try server.connect()
        client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab")
        #expect(try client.response().status == 408)
    }

    @Test("an idle connection is closed without a word, before and after a request")
    func idle() throws {
        let server = TestServer { $0.idleTimeout = .milliseconds(50) }
        #expect(try server.connect().readToEnd() == "")
        let client = try server.connect()
        client.get("/count/1")
        #expect(try client.response().body == "1")
        #expect(try client.readToEnd() == "")
    }

    @Test("a half-closed client gets its answer")
    func halfClosed() throws {
        let server = TestServer { $0.halfCloseGrace = .seconds(60) }
        let client = try server.connect()
        client.get("/slow")
        client.shutdownWriting()
        #expect(server.eventually { server.seen.withLock { $0.running == 1 } })
        server.seen.withLock { $0.isReleased = true }
        #expect(try client.response().body == "released")
        #expect(try client.readToEnd() == "")
    }

    @Test("a half-closed client whose request takes longer gets what the cancelled handler says")
    func halfClosedTooLong() throws {
        let server = TestServer()
        let client = try server.connect()
        client.get("/slow")
        client.shutdownWriting()
        #expect(try client.response().body == "cancelled")
    }

    @Test("a client that leaves cancels its request", arguments: [true, false])
    func disconnect(isReset: Bool) throws {
        let server = TestServer { $0.halfCloseGrace = isReset ? .seconds(60) : .zero }
        let client = try server.connect()
        client.get("/slow")
        #expect(server.eventually { server.seen.withLock { $0.running == 1 } })
        if isReset { client.reset() } else { client.close() }
        #expect(server.eventually { server.seen.withLock { $0.cancelled == 1 } })
        #expect(server.eventually { server.onLoop { $0.connectionCount } == 0 })
    }

    @Test("a request cut off by end of file is refused")
    func incomplete() throws {
        let server = TestServer()
        let client = try server.connect()
        client.send("GET / HTTP/1.1\r\nHos")
        client.shutdownWriting()
        #expect(try client.response().status == 400)
    }

    @Test("a client that takes nothing of a large answer is dropped")
    func writeTimeout() throws {
        let server = TestServer { $0.writeTimeout = .milliseconds(100) }
        let client = try server.connect(receiveBufferByteCount: 4096)
        client.get("/big")
        #expect(server.eventually { server.onLoop { $0.requestCount } == 1 })
        #expect(server.eventually { server.onLoop { $0.connectionCount } == 0 })
        client.close()
    }

    @Test("1,000 idle connections, each still answered")
    func idleConnections() throws {
        let server = TestServer()
        let clients = try (0..<1000).map { _ in try server.connect() }
        #expect(server.eventually { server.onLoop { $0.connectionCount } == 1000 })
        for client in clients { client.get("/count/7") }
        for client in clients { #expect(try client.response().body == "7") }
        for client in clients { client.close() }
        #expect(server.eventually { server.onLoop { $0.connectionCount } == 0 })
    }

    @Test("connections and bodies over their limit are told so")
    func overloaded() throws {
        let server = TestServer {
            $0.connectionCountMax = 2
            $0.bodyByteCountTotalMax = 10
        }
        let first = try server.connect()
        let second = try server.connect()
        #expect(server.eventually { server.onLoop { $0.connectionCount } == 2 })
        #expect(try server.connect().response().status == 503)
        first.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n12345678")
        let taken = { server.onLoop { $0.bodyByteCountTotal } }
        #expect(server.eventually { taken() == 8 })
        second.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n1234")
        #expect(try second.response().status == 503)
        first.send("9")
        #expect(try first.response().body == "POST / 123456789")
        #expect(server.eventually { taken() == 0 })
    }

    @Test("draining ends what runs, closes what idles and accepts nothing")
    func drain() throws {
        let server = TestServer()
        let idle = try server.connect()
        let busy = try server.connect()
        let stream = try server.connect()
        stream.get("/stream")
        _ = try stream.read(until: "\r\n\r\n")
        busy.get("/slow")
        #expect(server.eventually { server.seen.withLock { $0.running == 1 } })
        let isDrained = Lock(false)
        _ = server.onLoop { http in
            server.loop.spawn {
                await http.drain()
                isDrained.withLock { $0 = true }
            }
            return true
        }
        #expect(try idle.readToEnd() == "")
        #expect(try stream.readToEnd() == "0\r\n\r\n")
        stream.close()
        #expect(throws: TestClient.Failure.self) { try server.connect() }
        #expect(!isDrained.withLock { $0 })
        server.seen.withLock { $0.isReleased = true }
        let response = try busy.response()
        #expect(response.body == "released")
        #expect(response.header("connection") == "close")
        busy.close()
        #expect(server.eventually { isDrained.withLock { $0 } })
    }

    @Test("draining does not wait longer than its limit")
    func drainTimeout() throws {
        let server = TestServer { $0.drainTimeout = .milliseconds(50) }
        let client = try server.connect()
        client.get("/slow")
        #expect(server.eventually { server.seen.withLock { $0.running == 1 } })
        let drained = server.onLoop { http in
            await http.drain()
            return true
        }
        #expect(drained == true)
        #expect(server.eventually { server.seen.withLock { $0.cancelled == 1 } })
    }
}
