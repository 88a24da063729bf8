import Glibc
import Runtime
import Testing

@testable import HTTPServer

@Suite("HTTPBodyStream")
struct HTTPBodyStreamTests {
    private func stream(of server: TestServer) throws -> HTTPBodyStream {
        #expect(server.eventually { server.seen.withLock { !$0.streams.isEmpty } })
        return try #require(server.seen.withLock { $0.streams.last })
    }

    @Test("events arrive as chunks; after the end the connection goes on")
    func chunks() throws {
        let server = TestServer()
        let client = try server.connect()
        client.get("/stream")
        let head = try client.read(until: "\r\n\r\n")
        #expect(head.contains("Transfer-Encoding: chunked\r\n"))
        #expect(!head.contains("Content-Length"))
        let stream = try stream(of: server)
        let event = "data: 0123456789\n\n"
        _ = server.onLoop { _ in stream.write([]) }
        #expect(server.onLoop { _ in stream.write(Array(event.utf8)) } == .sent)
        #expect(try client.read(until: "\n\n\r\n") == "12\r\n\(event)\r\n")
        client.get("/count/3")
        _ = server.onLoop { _ in stream.close() }
        #expect(try client.read(until: "0\r\n\r\n") == "0\r\n\r\n")
        #expect(try client.response().body == "3")
        #expect(server.onLoop { _ in stream.write([1]) } == .closed)
        #expect(server.seen.withLock { $0.closedStreams } == 1)
        #expect(server.onLoop { $0.streamCount } == 0)
    }

    @Test("HTTP/1.0 gets the bytes as they are, until the end")
    func version10() throws {
        let server = TestServer()
        let client = try server.connect()
        client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(try client.read(until: "\r\n\r\n").contains("Connection: close\r\n"))
        let stream = try stream(of: server)
        _ = server.onLoop { _ in
            stream.write(Array("abc".utf8))
            stream.close()
        }
        #expect(try client.readToEnd() == "abc")
    }

    @Test("a client that left ends its stream")
    func left() throws {
        let server = TestServer()
        let client = try server.connect()
        client.get("/stream")
        let stream = try stream(of: server)
        client.close()
        #expect(server.eventually { server.seen.withLock { $0.closedStreams == 1 } })
        #expect(server.onLoop { _ in stream.isClosed } == true)
        #expect(server.onLoop { $0.connectionCount } == 0)
    }

    @Test("a reader that falls behind is dropped")
    func slowReader() throws {
        let server = TestServer { $0.writeQueueByteCountMax = 64 * 1024 }
        let client = try server.connect(receiveBufferByteCount: 4096)
        client.get("/stream")
        let stream = try stream(of: server)
        let piece = [UInt8](repeating: 65, count: 16 * 1024)
        var outcome: HTTPBodyStream.WriteOutcome? = .sent
        for _ in 0..<10_000 where outcome == .sent {
            outcome = server.onLoop { _ in stream.write(piece) }
            let queued = server.onLoop { _ in stream.queuedByteCount } ?? 0
            #expect(queued <= 64 * 1024)
        }
        #expect(outcome == .dropped)
        #expect(server.onLoop { _ in stream.write(piece) } == .closed)
        #expect(server.seen.withLock { $0.closedStreams } == 1)
    }

    @Test("a producer waits for a slow reader")
    func backPressure() throws {
        let server = TestServer { $0.writeQueueByteCountMax = 256 * 1024 }
        let client = try server.connect(receiveBufferByteCount: 8192)
        client.send("GET /produce HTTP/1.0\r\n\r\n")
        usleep(20_000)
        let text = try client.readToEnd()
        #expect(text.utf8.count { $0 == UInt8(ascii: "p") } >= 4 * 1024 * 1024)
        #expect(text.hasSuffix("p"))
    }

    @Test("a producer that waits is told when the client leaves")
    func waitingProducerEnds() throws {
        let server = TestServer { $0.writeQueueByteCountMax = 256 * 1024 }
        let client = try server.connect(receiveBufferByteCount: 8192)
        client.send("GET /produce HTTP/1.1\r\nHost: h\r\n\r\n")
        usleep(20_000)
        client.reset()
        #expect(server.eventually { server.onLoop { $0.connectionCount } == 0 })
    }
}
