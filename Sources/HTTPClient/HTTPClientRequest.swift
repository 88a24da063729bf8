package import Runtime

/// One request. Redirects are answers, not followed.
package struct HTTPClientRequest: Sendable {
    package enum Method: String, Sendable {
        case get = "GET"
        case head = "HEAD"
        case post = "POST"
        case put = "PUT"
        case patch = "PATCH"
        case delete = "DELETE"
    }

    package var method: Method
    /// Absolute `http:` or `https:` URL, already percent-encoded.
    package var url: String
    package var headers: [(name: String, value: String)]
    /// Sent for every method but GET and HEAD.
    package var body: [UInt8]
    package var deadline: Deadline
    /// Bytes of the answer's body; nil takes the client's bound.
    package var responseByteCountMax: Int?

    package init(
        _ method: Method, _ url: String, headers: [(name: String, value: String)] = [],
        body: [UInt8] = [], deadline: Deadline, responseByteCountMax: Int? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.deadline = deadline
        self.responseByteCountMax = responseByteCountMax
    }

    /// Whether no line of the header block can be forged through a name, a value or the URL.
    var isWellFormed: Bool {
        // libcurl would guess a scheme where none is given.
        guard url.hasPrefix("http://") || url.hasPrefix("https://") else { return false }
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return false }
        return headers.allSatisfy { header in
            !header.name.isEmpty
                && header.name.utf8.allSatisfy { isTokenByte($0) }
                && header.value.utf8.allSatisfy { $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }
        }
    }
}

/// RFC 9110 §5.6.2, without the rarely used punctuation.
private func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: "."):
        true
    default: false
    }
}
