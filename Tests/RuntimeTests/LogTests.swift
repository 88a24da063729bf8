import Glibc
import Testing

@testable import Runtime

@Suite("Log")
struct LogTests {
    @Test("a line is one JSON object, whatever the fields hold")
    func line() {
        let line = LogLine.make(5, .warning, "lost", [("what", "a \"b\"\\\n{c}")])
        #expect(
            String(decoding: line, as: UTF8.self)
                == #"{"time_ms":5,"level":"warning","message":"lost","what":"a \"b\"\\ {c}"}"#
                + "\n")
    }

    @Test("lines below the level are left out, the others arrive in order")
    func order() {
        var ends: [CInt] = [0, 0]
        #expect(pipe(&ends) == 0)
        let log = Log(fileDescriptor: ends[1])
        log.minimum = .warning
        log.write(.info, "quiet", [])
        for index in 0..<3 { log.write(.error, "loud", [("n", String(index))]) }
        log.drain()
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = read(ends[0], &buffer, buffer.count)
        let lines = String(decoding: buffer[..<max(count, 0)], as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines.enumerated().allSatisfy { $1.hasSuffix(#""n":"\#($0)"}"#) })
    }
}
