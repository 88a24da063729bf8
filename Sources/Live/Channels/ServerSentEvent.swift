/// The text/event-stream format (WHATWG HTML, "Server-sent events").
package enum ServerSentEvent {
    /// A comment that a client ignores.
    package static let comment = Array(":\n\n".utf8)

    /// - Parameters:
    ///   - id: 0 leaves it out: the client keeps the last one.
    ///   - data: Any bytes; each of its lines becomes a line of `data`, which the client joins.
    package static func encode(id: UInt64, event: String, data: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(data.count + event.utf8.count + 48)
        if id != 0 { append("id: ", id.description, &bytes) }
        append("event: ", event, &bytes)
        var start = 0
        while true {
            let end = data[start...].firstIndex { $0 == lineFeed || $0 == carriageReturn }
            bytes.append(contentsOf: dataField)
            bytes.append(contentsOf: data[start..<(end ?? data.count)])
            bytes.append(lineFeed)
            guard let end else { break }
            start = end + 1
            if data[end] == carriageReturn, start < data.count, data[start] == lineFeed {
                start += 1
            }
        }
        bytes.append(lineFeed)
        return bytes
    }

    /// A comment with the position from which the client resumes, without an event.
    package static func heartbeat(_ id: UInt64) -> [UInt8] { Array(":\nid: \(id)\n\n".utf8) }

    /// What a stream begins with: how long to wait before connecting again, and where it stands.
    package static func start(retryMilliseconds: UInt64, id: UInt64) -> [UInt8] {
        Array("retry: \(retryMilliseconds)\nid: \(id)\n\n".utf8)
    }

    private static func append(_ name: StaticString, _ value: String, _ bytes: inout [UInt8]) {
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: value.utf8)
        bytes.append(lineFeed)
    }

    private static let lineFeed = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")
    private static let dataField = Array("data: ".utf8)
}
