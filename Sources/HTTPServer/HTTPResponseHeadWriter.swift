internal import Glibc

/// Writes status line and header of responses into one reused buffer.
///
/// Status line and Date are cached together per status for a second.
final class HTTPResponseHeadWriter {
    /// How the client learns where the body ends.
    enum Framing {
        case none
        case length(Int)
        case chunked
        case untilClose
    }

    enum Persistence {
        /// The default of HTTP/1.1, said by saying nothing.
        case implied
        /// For HTTP/1.0 clients that asked for it.
        case keepAlive
        case close
    }

    private(set) var bytes: [UInt8] = []
    private var prefixes: [[UInt8]] = Array(repeating: [], count: 600)
    private var cachedSecond: UInt64?

    /// Replaces ``bytes`` with the head of one response.
    ///
    /// - Parameter second: Any clock that changes once a second.
    func write(
        status: Int, headers: HTTPHeaders, framing: Framing, persistence: Persistence,
        second: UInt64
    ) {
        precondition((200..<600).contains(status), "a handler answered with an impossible status")
        if second != cachedSecond {
            for index in prefixes.indices where !prefixes[index].isEmpty { prefixes[index] = [] }
            cachedSecond = second
        }
        if prefixes[status].isEmpty { prefixes[status] = HTTPResponseHeadWriter.prefix(status) }
        bytes.removeAll(keepingCapacity: true)
        bytes.append(contentsOf: prefixes[status])
        bytes.append(contentsOf: headers.bytes)
        switch framing {
        case .none, .untilClose: break
        case .length(let count): appendLength(count)
        case .chunked: append("Transfer-Encoding: chunked\r\n")
        }
        switch persistence {
        case .implied: break
        case .keepAlive: append("Connection: keep-alive\r\n")
        case .close: append("Connection: close\r\n")
        }
        append("\r\n")
    }

    /// Adds a body behind the head.
    func append(_ body: UnsafeRawBufferPointer) { bytes.append(contentsOf: body) }

    private func append(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    private func appendLength(_ count: Int) {
        append("Content-Length: ")
        bytes.appendDigits(count, radix: 10)
        append("\r\n")
    }

    private static func prefix(_ status: Int) -> [UInt8] {
        let date = HTTPDate.format(secondsSinceEpoch: Int(time(nil)))
        return Array("HTTP/1.1 \(status) \(HTTPStatus.reason(status))\r\nDate: \(date)\r\n".utf8)
    }
}

extension [UInt8] {
    /// Appends `number`, which is not negative, in lower-case digits.
    mutating func appendDigits(_ number: Int, radix: Int) {
        let start = count
        var rest = number
        repeat {
            let digit = UInt8(rest % radix)
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            rest /= radix
        } while rest > 0
        self[start...].reverse()
    }
}
