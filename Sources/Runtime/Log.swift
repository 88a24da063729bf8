internal import Glibc

/// Writes events as JSON lines to standard error, from a thread of its own, so that a full pipe
/// never blocks a loop. Messages are constants; what varies is in the fields. Row values and
/// secrets never are.
package final class Log: @unchecked Sendable {
    package enum Level: Int, Sendable, Comparable, CaseIterable {
        case debug, info, warning, error

        package static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
        package var name: String { String(describing: self) }
    }

    /// Lines that may wait for the writer; beyond that they are counted and dropped.
    package static let waitingLineCountMax = 4_096

    /// The log of this process.
    package static let shared = Log(fileDescriptor: STDERR_FILENO)

    private struct State {
        var lines: [[UInt8]] = []
        var droppedLineCount = 0
        var minimum = Level.info
        var isWriting = false
    }

    private let state = Lock(State())
    private let fileDescriptor: CInt
    private let wakeup = Semaphore()

    package init(fileDescriptor: CInt) { self.fileDescriptor = fileDescriptor }

    package var minimum: Level {
        get { state.withLock { $0.minimum } }
        set { state.withLock { $0.minimum = newValue } }
    }

    package static func debug(_ message: StaticString, _ fields: (String, String)...) {
        shared.write(.debug, message, fields)
    }

    package static func info(_ message: StaticString, _ fields: (String, String)...) {
        shared.write(.info, message, fields)
    }

    package static func warning(_ message: StaticString, _ fields: (String, String)...) {
        shared.write(.warning, message, fields)
    }

    package static func error(_ message: StaticString, _ fields: (String, String)...) {
        shared.write(.error, message, fields)
    }

    package func write(_ level: Level, _ message: StaticString, _ fields: [(String, String)]) {
        let isWanted = state.withLock { $0.minimum <= level }
        guard isWanted else { return }
        let line = LogLine.make(epochMilliseconds(), level, message, fields)
        let mustStart = state.withLock { state in
            if state.lines.count >= Log.waitingLineCountMax {
                state.droppedLineCount += 1
                return false
            }
            state.lines.append(line)
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if mustStart { startWriter() }
        wakeup.signal()
    }

    /// Waits, at most a second, until what was logged before is written. For the end of a process.
    package func drain() {
        for _ in 0..<1_000 where state.withLock({ !$0.lines.isEmpty }) { usleep(1_000) }
    }

    private func startWriter() {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let status = pthread_create(&thread, nil, runLogWriter, context)
        precondition(status == 0, "pthread_create failed")
        pthread_detach(thread)
    }

    fileprivate func run() {
        while true {
            wakeup.wait()
            while let text = nextText() {
                var offset = 0
                while offset < text.count {
                    let count = text.withUnsafeBytes {
                        let rest = UnsafeRawBufferPointer(rebasing: $0[offset...])
                        return Glibc.write(fileDescriptor, rest.baseAddress, rest.count)
                    }
                    if count < 0 && errno != EINTR { break }
                    offset += max(count, 0)
                }
                state.withLock { state in _ = state.lines.removeFirst() }
            }
        }
    }

    private func nextText() -> [UInt8]? {
        state.withLock { state in
            guard var line = state.lines.first else { return nil }
            if state.droppedLineCount > 0 {
                line += LogLine.make(
                    epochMilliseconds(), .warning, "log lines were dropped",
                    [("count", String(state.droppedLineCount))])
                state.droppedLineCount = 0
            }
            return line
        }
    }
}

/// One event as a JSON line.
enum LogLine {
    static func make(
        _ milliseconds: Int64, _ level: Log.Level, _ message: StaticString,
        _ fields: [(String, String)]
    ) -> [UInt8] {
        var line: [UInt8] = []
        let start = "{\"time_ms\":\(milliseconds),\"level\":\"\(level.name)\""
        line.append(contentsOf: Array(start.utf8))
        append("message", message.description, to: &line)
        for (name, value) in fields { append(name, value, to: &line) }
        line.append(contentsOf: Array("}\n".utf8))
        return line
    }

    private static func append(_ name: String, _ value: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: ","))
        quote(name, to: &line)
        line.append(UInt8(ascii: ":"))
        quote(value, to: &line)
    }

    private static func quote(_ text: String, to line: inout [UInt8]) {
        line.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                line.append(UInt8(ascii: "\\"))
                line.append(byte)
            } else if byte < 0x20 {
                // Control characters carry nothing an operator needs; a space keeps the line one.
                line.append(UInt8(ascii: " "))
            } else {
                line.append(byte)
            }
        }
        line.append(UInt8(ascii: "\""))
    }
}

/// A counting semaphore on POSIX's `sem_t`.
final class Semaphore: @unchecked Sendable {
    private let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        semaphore = .allocate(capacity: 1)
        precondition(sem_init(semaphore, 0, 0) == 0, "sem_init failed")
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func signal() { sem_post(semaphore) }

    func wait() {
        while sem_wait(semaphore) != 0 {}
    }
}

private func runLogWriter(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    Unmanaged<Log>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
