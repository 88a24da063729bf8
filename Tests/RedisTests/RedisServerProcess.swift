import ClientTestSupport
import Glibc
@testable import Redis
import Runtime

/// A Redis server of a test's own, in a folder of its own; for what must not be done to a shared
/// one.
final class RedisServerProcess: @unchecked Sendable {
    let folder: String
    private(set) var port = 0
    private let givenArguments: [String]
    private var process: pid_t = 0

    /// - Parameter arguments: Of `redis-server`; `{folder}` and `{port}` are replaced.
    init(_ arguments: [String] = [], folder: String? = nil) throws {
        self.folder = try folder ?? makeFolder()
        givenArguments = arguments
        // Another program may take a port between the look at it and the start.
        for _ in 0..<20 {
            port = freePort()
            if try startUnlessTaken() { return }
        }
        throw ServerFailure(description: "no free port for redis-server")
    }

    private var arguments: [String] {
        let port = port.description
        let values = ["{folder}": folder, "{port}": port]
        return [
            "--save", "", "--appendonly", "no", "--dir", folder, "--loglevel", "notice",
            "--logfile", logPath,
        ]
            + (givenArguments.contains("--port") ? [] : ["--port", port])
            + givenArguments.map { values.reduce($0) { replaced($0, $1.key, $1.value) } }
    }

    private var logPath: String { folder + "/log" }

    var configuration: RedisConfiguration {
        RedisConfiguration(
            address: RedisAddress(endpoint: .tcp(host: "127.0.0.1", port: port)))
    }

    /// Starts the server again, on the port it had.
    func start() throws {
        guard try startUnlessTaken() else {
            throw ServerFailure(description: "port \(port) was taken meanwhile")
        }
    }

    /// Starts the server and waits until it listens.
    ///
    /// - Returns: False if another program has the port.
    private func startUnlessTaken() throws -> Bool {
        unlink(logPath)
        let program = environment("FOURFOLD_TEST_REDIS_SERVER") ?? "redis-server"
        process = try spawn(program, arguments)
        let deadline = Deadline.after(.seconds(60))
        while !deadline.hasPassed {
            let hasEnded = waitpid(process, nil, WNOHANG) == process
            let log = (try? readFile(logPath)) ?? ""
            if log.contains("Ready to accept connections") { return true }
            if hasEnded {
                process = 0
                if log.contains("Address already in use") { return false }
                throw ServerFailure(description: "redis-server has ended: " + log)
            }
            usleep(2_000)
        }
        kill()
        throw ServerFailure(description: "redis-server does not start")
    }

    /// Ends the server at once, as a crash would.
    func kill() {
        guard process != 0 else { return }
        Glibc.kill(process, SIGKILL)
        waitpid(process, nil, 0)
        process = 0
    }

    func stop() {
        kill()
        _ = try? run("rm", ["-r", "-f", folder])
    }

    /// Waits until a client of `address` gets an answer.
    func waitUntilReady(_ configuration: RedisConfiguration) async throws {
        let isReady = await onLoop { loop in
            let deadline = Deadline.after(.seconds(60))
            while !deadline.hasPassed {
                let client = RedisClient(loop: loop, configuration: configuration)
                defer { client.close() }
                if case .success = await outcome(client, ["PING"]) { return true }
                try? await loop.sleep(for: .milliseconds(20))
            }
            return false
        }
        guard isReady else {
            let log = (try? readFile(logPath)) ?? ""
            throw ServerFailure(description: "redis-server does not answer: " + log)
        }
    }
}

struct ServerFailure: Error, CustomStringConvertible {
    let description: String
}

/// At most the first MiB of a file as text.
func readFile(_ path: String) throws -> String {
    guard let file = fopen(path, "r") else { throw ServerFailure(description: "no " + path) }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = fread(&bytes, 1, bytes.count, file)
    return String(decoding: bytes[..<count], as: UTF8.self)
}

/// A new folder that only this user can enter.
func makeFolder() throws -> String {
    var template = Array("/tmp/fourfold-redis-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ServerFailure(description: "no folder") }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

/// Runs a program to its end.
func run(_ program: String, _ arguments: [String]) throws {
    var status: CInt = 0
    waitpid(try spawn(program, arguments), &status, 0)
    guard status == 0 else { throw ServerFailure(description: "\(program) failed") }
}

private func spawn(_ program: String, _ arguments: [String]) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for descriptor: CInt in [1, 2] {
        posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_WRONLY, 0)
    }
    var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
    words.append(nil)
    defer { for word in words { free(word) } }
    var process: pid_t = 0
    guard posix_spawnp(&process, program, &actions, nil, words, environ) == 0 else {
        throw ServerFailure(description: "\(program) cannot be started")
    }
    return process
}

/// Below those that the system gives to outgoing connections, which would take one away between
/// this look and the start of a server.
private let nextPort = Lock(20_000 + Int(getpid()) * 37 % 10_000)

private func freePort() -> Int {
    while true {
        let port = nextPort.withLock { next in
            next = next < 31_999 ? next + 1 : 20_000
            return next
        }
        if isFree(port) { return port }
    }
}

private func isFree(_ port: Int) -> Bool {
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
        }
    }
}

private func replaced(_ text: String, _ name: String, _ value: String) -> String {
    text.split(separator: name, omittingEmptySubsequences: false).joined(separator: value)
}
