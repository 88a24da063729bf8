import Glibc
import Runtime

@testable import HTTPServer

/// A server on a loop and thread of its own, with a handler that tests drive by path.
final class TestServer: Sendable {
    struct Seen: Sendable {
        var cancelled = 0
        var running = 0
        var streams: [HTTPBodyStream] = []
        var closedStreams = 0
        var isReleased = false
    }

    let loop = EventLoop()
    let seen = Lock(Seen())
    let port: UInt16
    let path: String
    private let server: Lock<HTTPServer?>
    private let thread: Lock<LoopThread?>

    init(
        unixPath: String? = nil, _ configure: (inout HTTPServerConfiguration) -> Void = { _ in }
    ) {
        var configuration = HTTPServerConfiguration()
        configuration.sweepInterval = .milliseconds(10)
        configuration.halfCloseGrace = .milliseconds(100)
        configure(&configuration)
        path = unixPath ?? ""
        let address: HTTPListenAddress =
            unixPath.map { .unix(path: $0) } ?? .ip(host: "127.0.0.1", port: 0)
        let started = Lock<(HTTPServer, HTTPListenAddress)?>(nil)
        let (loop, seen, fixed) = (loop, seen, configuration)
        thread = Lock(loop.startThread(name: "http-test"))
        loop.submit {
            let server = HTTPServer(
                loop: loop, configuration: fixed,
                directHandler: { TestServer.answerDirectly($0, $1, loop) }
            ) { request in
                await TestServer.answer(request, loop, seen)
            }
            // A test cannot go on without its server.
            guard let bound = try? server.listen(on: address) else { fatalError("cannot listen") }
            started.withLock { $0 = (server, bound) }
        }
        var ready = started.withLock { $0 }
        while ready == nil {
            usleep(500)
            ready = started.withLock { $0 }
        }
        server = Lock(ready?.0)
        if case .ip(_, let port)? = ready?.1 { self.port = port } else { port = 0 }
    }

    deinit { stop() }

    func connect(receiveBufferByteCount: CInt? = nil) throws -> TestClient {
        try port == 0
            ? TestClient(path: path)
            : TestClient(port: port, receiveBufferByteCount: receiveBufferByteCount)
    }

    /// Runs `body` on the loop with the server and waits for its result.
    func onLoop<Result: Sendable>(
        _ body: @escaping @Sendable (HTTPServer) async -> Result
    ) -> Result? {
        guard let server = server.withLock({ $0 }) else { return nil }
        let result = Lock<Result?>(nil)
        loop.spawn {
            let value = await body(server)
            result.withLock { $0 = value }
        }
        var answer: Result?
        _ = eventually {
            answer = result.withLock { $0 }
            return answer != nil
        }
        return answer
    }

    func stop() {
        guard let thread = thread.withLock({ thread in
            defer { thread = nil }
            return thread
        }) else { return }
        let stopped = onLoop { server in
            server.stop()
            return true
        }
        if stopped == true {
            loop.stop()
            thread.join()
        }
    }

    /// Waits until `condition` holds, up to 20 s.
    func eventually(_ condition: () -> Bool) -> Bool {
        for _ in 0..<20_000 {
            if condition() { return true }
            usleep(1000)
        }
        return false
    }

    private static func answer(
        _ request: HTTPRequest, _ loop: EventLoop, _ seen: Lock<Seen>
    ) async -> HTTPResponse {
        switch request.pathSegments.first {
        case "count": return text(request.pathSegments.last ?? "")
        case "empty": return HTTPResponse(status: 204)
        case "slow":
            seen.withLock { $0.running += 1 }
            while !seen.withLock({ $0.isReleased }) {
                do { try await loop.sleep(for: .milliseconds(5)) } catch {
                    seen.withLock { $0.cancelled += 1 }
                    return text("cancelled")
                }
            }
            return text("released")
        case "big":
            let memory = ForeignMemory(byteCount: 8 * 1024 * 1024)
            return HTTPResponse(
                status: 200,
                body: .foreign(owner: memory, bytes: UnsafeRawBufferPointer(memory.bytes)))
        case "stream":
            return HTTPResponse(
                status: 200, headers: ["Content-Type": "text/event-stream"],
                body: .stream { stream in
                    stream.onClosed { seen.withLock { $0.closedStreams += 1 } }
                    seen.withLock { $0.streams.append(stream) }
                })
        case "produce":
            return HTTPResponse(
                status: 200, body: .stream { stream in loop.spawn { await produce(stream) } })
        case "peer": return text(request.peerAddress ?? "none")
        default:
            let body = String(decoding: request.body, as: UTF8.self)
            return text("\(request.method.rawValue) \(request.target) \(body)")
        }
    }

    /// `/direct/now/…` is answered before this returns, `/direct/later/…` in another turn.
    private static func answerDirectly(
        _ request: HTTPRequest, _ reply: HTTPReply, _ loop: EventLoop
    ) -> Bool {
        let segments = request.pathSegments
        guard segments.count == 3, segments[0] == "direct" else { return false }
        switch segments[1] {
        case "now": reply.send(text(segments[2]))
        case "later":
            // By a timer, so that a client can leave before.
            _ = loop.schedule(after: .milliseconds(2)) { reply.send(text(segments[2])) }
        default: return false
        }
        return true
    }

    /// 4 MiB, waiting for a slow reader.
    private static func produce(_ stream: HTTPBodyStream) async {
        let piece = [UInt8](repeating: UInt8(ascii: "p"), count: 32 * 1024)
        for _ in 0..<128 {
            guard await stream.waitUntilWritable() else { return }
            stream.write(piece)
        }
        stream.close()
    }

    private static func text(_ text: String) -> HTTPResponse {
        HTTPResponse(
            status: 200, headers: ["Content-Type": "text/plain"], body: .bytes(Array(text.utf8)))
    }
}

final class ForeignMemory: @unchecked Sendable {
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        bytes = .allocate(byteCount: byteCount, alignment: 16)
        for index in bytes.indices { bytes[index] = ForeignMemory.byte(at: index) }
    }

    static func byte(at index: Int) -> UInt8 { UInt8(truncatingIfNeeded: index % 251) }

    deinit { bytes.deallocate() }
}
