import Testing

@testable import HTTPServer

@Suite("HTTPRequestParser")
struct HTTPRequestParserTests {
    /// What a byte stream parses to: one line a request, then the error, if any.
    private func parse(_ pieces: [ArraySlice<UInt8>], _ limits: HTTPRequestLimits) -> [String] {
        var parser = HTTPRequestParser(limits: limits)
        var found: [String] = []
        for piece in pieces {
            var rest = piece
            while !rest.isEmpty {
                switch rest.withUnsafeBytes({ parser.feed($0) }) {
                case .needsMore: rest = []
                case .request(let consumed):
                    rest = rest.dropFirst(consumed)
                    if let request = parser.takeRequest() { found.append(describe(request)) }
                case .failed(let error): return found + [error.code]
                }
            }
        }
        return found
    }

    private func describe(_ request: HTTPRequest) -> String {
        let headers = request.headers.map { "\($0.name)=\($0.value)" }.joined(separator: ";")
        let body = String(decoding: request.body, as: UTF8.self)
        let end = request.isKeepAlive ? "keep" : "close"
        return "\(request.method.rawValue) \(request.target) [\(headers)] \(body) \(end)"
    }

    private func parse(_ text: String, _ limits: HTTPRequestLimits = .init()) -> [String] {
        let bytes = Array(text.utf8)
        return parse([bytes[...]], limits)
    }

    private static let stream = """
        POST /a%20b?c=d HTTP/1.1\r\nHost: h\r\nX-Long-Name:  spaced value \t\r\nEmpty:\r\n\
        Content-Length: 5\r\n\r\nhello\
        POST /chunked HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n\
        3;ext="x"\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: dropped\r\n\r\n\
        GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n\
        GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n\
        \r\nHEAD /last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n
        """
    private static let parsed = [
        "POST /a%20b?c=d [host=h;x-long-name=spaced value;empty=;content-length=5] hello keep",
        "POST /chunked [host=h;transfer-encoding=Chunked] abc0123456789 keep",
        "GET / [host=h;connection=Upgrade;upgrade=websocket]  keep",
        "GET /old [connection=keep-alive]  keep",
        "HEAD /last [host=h;connection=close]  close",
    ]

    @Test("a stream fed whole, byte by byte and in every split gives the same requests")
    func splits() {
        let bytes = Array(HTTPRequestParserTests.stream.utf8)
        let expected = HTTPRequestParserTests.parsed
        #expect(parse([bytes[...]], .init()) == expected)
        #expect(parse(bytes.indices.map { bytes[$0...$0] }, .init()) == expected)
        for split in 1..<bytes.count {
            #expect(parse([bytes[..<split], bytes[split...]], .init()) == expected)
        }
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let text: String
        let code: HTTPServerError

        init(_ name: String, _ text: String, _ code: HTTPServerError) {
            testDescription = name
            self.text = text
            self.code = code
        }

        init(_ name: String, header: String, body: String = "", _ code: HTTPServerError) {
            self.init(name, "POST / HTTP/1.1\r\nHost: h\r\n\(header)\r\n\r\n\(body)", code)
        }
    }

    static let smuggling: [Refusal] = [
        Refusal(
            "length and chunked", header: "Content-Length: 5\r\nTransfer-Encoding: chunked",
            .ambiguousLength),
        Refusal(
            "chunked and length", header: "Transfer-Encoding: chunked\r\nContent-Length: 5",
            .ambiguousLength),
        Refusal(
            "two lengths", header: "Content-Length: 5\r\nContent-Length: 6", .ambiguousLength),
        Refusal(
            "the same length twice", header: "Content-Length: 5\r\nContent-Length: 5",
            .ambiguousLength),
        Refusal("a list of lengths", header: "Content-Length: 5, 5", .ambiguousLength),
        Refusal("a negative length", header: "Content-Length: -1", .ambiguousLength),
        Refusal("a signed length", header: "Content-Length: +1", .ambiguousLength),
        Refusal("a hexadecimal length", header: "Content-Length: 0x1", .ambiguousLength),
        Refusal("no length", header: "Content-Length:", .ambiguousLength),
        Refusal(
            "a length beyond 64 bits", header: "Content-Length: 18446744073709551616",
            .ambiguousLength),
        Refusal(
            "the largest length", header: "Content-Length: 18446744073709551615", .bodyTooLarge),
        Refusal(
            "chunked twice, one line", header: "Transfer-Encoding: chunked, chunked",
            .ambiguousLength),
        Refusal(
            "chunked twice, two lines",
            header: "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", .ambiguousLength),
        Refusal(
            "chunked not last", header: "Transfer-Encoding: chunked, gzip", .ambiguousLength),
        Refusal("gzip", header: "Transfer-Encoding: gzip, chunked", .transferEncodingUnknown),
        Refusal(
            "a lookalike of chunked", header: "Transfer-Encoding: xchunked",
            .transferEncodingUnknown),
        Refusal(
            "chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            .ambiguousLength),
        Refusal("a folded line", header: "X: a\r\n b", .malformedRequest),
        Refusal("a blank before the colon", header: "X : a", .malformedRequest),
        Refusal(
            "a blank before the colon of a length", header: "Content-Length : 5",
            .malformedRequest),
        Refusal("a blank line start", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", .malformedRequest),
        Refusal("a line without a colon", header: "X", .malformedRequest),
        Refusal("a NUL in a value", header: "X: a\u{0}b", .malformedRequest),
        Refusal("a bare CR in a value", header: "X: a\rb", .malformedRequest),
        Refusal("a bare LF after a line", "GET / HTTP/1.1\r\nHost: h\nX: y\r\n\r\n",
            .malformedRequest),
        Refusal("a bare LF after the request line", "GET / HTTP/1.1\nHost: h\r\n\r\n",
            .malformedRequest),
        Refusal("a bare LF at the end", "GET / HTTP/1.1\r\nHost: h\r\n\n", .malformedRequest),
    ]

    static let chunks: [Refusal] = [
        ("no size", "\r\n"), ("no number", "x\r\n"), ("a sign", "-1\r\n"), ("0x", "0x3\r\nabc\r\n"),
        ("a blank before", " 3\r\nabc\r\n"), ("a bare LF", "3\nabc\r\n"),
        ("beyond 64 bits", "10000000000000000\r\n"), ("longer than said", "3\r\nabcd\r\n"),
        ("a bare LF after the data", "3\r\nabc\n"), ("a blank after", "3 \r\nabc\r\n0\r\n\r\n"),
    ].map {
        Refusal(
            "chunk size: \($0)", header: "Transfer-Encoding: chunked", body: $1, .malformedRequest)
    }

    static let others: [Refusal] = [
        Refusal("no Host", "GET / HTTP/1.1\r\n\r\n", .hostInvalid),
        Refusal("two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", .hostInvalid),
        Refusal("unknown method", "BREW / HTTP/1.1\r\nHost: h\r\n\r\n", .methodUnknown),
        Refusal("CONNECT", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", .methodUnknown),
        Refusal("HTTP/2", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", .versionUnsupported),
        Refusal("HTTP/0.9", "GET / HTTP/0.9\r\n\r\n", .versionUnsupported),
        Refusal("HTTP/1.2", "GET / HTTP/1.2\r\nHost: h\r\n\r\n", .versionUnsupported),
        Refusal(
            "prior knowledge of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            .versionUnsupported),
        Refusal("expectation", header: "Expect: 200-ok", .expectationUnknown),
        Refusal("bad escape", "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", .targetInvalid),
        Refusal("NUL in the path", "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", .targetInvalid),
        Refusal("no UTF-8", "GET /%ff HTTP/1.1\r\nHost: h\r\n\r\n", .targetInvalid),
        Refusal("TLS", "\u{16}\u{3}\u{1}\u{2}", .methodUnknown),
    ]

    @Test("refused, whole and byte by byte", arguments: smuggling + chunks + others)
    func refused(_ each: Refusal) {
        let bytes = Array(each.text.utf8)
        let whole = parse([bytes[...]], .init())
        let dripped = parse(bytes.indices.map { bytes[$0...$0] }, .init())
        let isChunk = each.testDescription.hasPrefix("chunk size")
        let accepted =
            isChunk
            ? ["malformed_request", "ambiguous_length", "body_too_large"] : [each.code.code]
        #expect(whole.count == 1 && accepted.contains(whole[0]), "\(whole)")
        #expect(dripped == whole)
    }

    @Test("each limit, at its bound and one past it")
    func limits() {
        var limits = HTTPRequestLimits()
        limits.targetByteCountMax = 10
        limits.headerByteCountMax = 40
        limits.headerFieldCountMax = 3
        limits.bodyByteCountMax = 8
        let host = "HTTP/1.1\r\nHost: h\r\n"
        let path = String(repeating: "a", count: 9)
        #expect(parse("GET /\(path) \(host)\r\n", limits).first?.hasPrefix("GET /aaa") == true)
        #expect(parse("GET /\(path)a \(host)\r\n", limits) == ["target_too_long"])
        // "host" + "h" + 4 = 9 of 40 bytes; "x" + 26 + 4 = 31.
        let value = String(repeating: "v", count: 26)
        #expect(parse("GET / \(host)X: \(value)\r\n\r\n", limits).first?.hasPrefix("GET") == true)
        #expect(parse("GET / \(host)X: \(value)v\r\n\r\n", limits) == ["header_too_large"])
        #expect(parse("GET / \(host)a:\r\nb:\r\n\r\n", limits).first?.hasPrefix("GET") == true)
        #expect(parse("GET / \(host)a:\r\nb:\r\nc:\r\n\r\n", limits) == ["header_too_large"])
        let body = "POST / \(host)Content-Length:"
        #expect(parse("\(body) 8\r\n\r\n12345678", limits).first?.hasPrefix("POST") == true)
        #expect(parse("\(body) 9\r\n\r\n", limits) == ["body_too_large"])
        let chunked = "POST / \(host)Transfer-Encoding:chunked\r\n\r\n"
        limits.headerByteCountMax = 60
        #expect(parse("\(chunked)4\r\n1234\r\n4\r\n5678\r\n0\r\n\r\n", limits).count == 1)
        #expect(parse("\(chunked)4\r\n1234\r\n5\r\n", limits) == ["body_too_large"])
        let long = String(repeating: "x", count: 61)
        #expect(parse("\(chunked)1;\(long)\r\n", limits) == ["header_too_large"])
        #expect(parse("\(chunked)0\r\nT: \(long)\r\n", limits) == ["header_too_large"])
    }

    @Test("blanks and empty lines without end are cut off")
    func skippedBytes() {
        var limits = HTTPRequestLimits()
        limits.headerByteCountMax = 100
        limits.targetByteCountMax = 100
        let lines = String(repeating: "\r\n", count: 101)
        #expect(parse(lines, limits) == ["header_too_large"])
        let blanks = String(repeating: " ", count: 200)
        #expect(parse("GET / HTTP/1.1\r\nX:\(blanks)", limits) == ["header_too_large"])
    }
}
