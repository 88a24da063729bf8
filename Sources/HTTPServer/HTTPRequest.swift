/// One whole request.
///
/// The target was checked: decoding it cannot fail.
package struct HTTPRequest: Sendable {
    let head: HTTPRequestHead
    private let connection: HTTPConnection?

    /// The body without its chunking; empty when the request has none.
    package let body: [UInt8]

    package var method: HTTPMethod { head.method }

    /// Path and query as the client sent them.
    package var target: String { head.string(0..<head.targetCount) }

    /// The path as the client sent it, still percent-encoded, without the query.
    package var path: String { head.string(head.target.path) }

    /// The query as the client sent it, without its question mark; nil when there is none.
    package var rawQuery: String? { head.target.query.map { head.string($0) } }

    /// The decoded pairs of the query.
    package var query: HTTPQuery { HTTPQuery(head) }

    package var headers: HTTPRequestHeaders { HTTPRequestHeaders(head: head) }

    /// Whether the client allows another request on this connection.
    package var isKeepAlive: Bool { head.isKeepAlive }

    /// The decoded segments between the slashes: none for `/`, an empty last one for `/a/`.
    package var pathSegments: [String] {
        let range = head.target.path
        guard range.count > 1 else { return [] }
        var segments: [String] = []
        segments.reserveCapacity(HTTPRequest.segmentCountExpected)
        var start = range.lowerBound + 1
        let bytes = head.bytes
        for index in start..<range.upperBound where bytes[index] == UInt8(ascii: "/") {
            segments.append(segment(start..<index))
            start = index + 1
        }
        segments.append(segment(start..<range.upperBound))
        return segments
    }

    private static let segmentCountExpected = 6

    /// Numeric address of the client without its port; nil on a Unix socket or once it has left.
    /// Asked of the kernel on first use. On the loop only.
    package var peerAddress: String? { connection?.peerAddress }

    init(head: HTTPRequestHead, body: [UInt8], connection: HTTPConnection?) {
        self.head = head
        self.body = body
        self.connection = connection
    }

    /// Makes a request without a connection: for parts of a batch, and for tests.
    ///
    /// - Throws: ``HTTPServerError/targetInvalid``.
    package init(
        method: HTTPMethod, target: String, headers: [(name: String, value: String)] = [],
        body: [UInt8] = []
    ) throws(HTTPServerError) {
        let head = HTTPRequestHead()
        head.method = method
        head.bytes = Array(target.utf8)
        head.targetCount = head.bytes.count
        try head.finishTarget()
        for (name, value) in headers {
            let start = Int32(head.bytes.count)
            head.bytes.append(contentsOf: name.utf8.lazy.map(ASCII.lowercased))
            let middle = Int32(head.bytes.count)
            head.bytes.append(contentsOf: value.utf8)
            let end = Int32(head.bytes.count)
            head.fields.append(
                .init(
                    nameStart: start, nameCount: middle - start, valueStart: middle,
                    valueCount: end - middle))
        }
        self.init(head: head, body: body, connection: nil)
    }

    private func segment(_ range: Range<Int>) -> String {
        if head.target.isPathPlain { return head.string(range) }
        return head.bytes[range].withUnsafeBytes {
            PercentDecoding.decode($0, plusIsSpace: false)
        }
    }
}
