import Testing

@testable import HTTPServer

@Suite("HTTPRequest: target and headers")
struct HTTPTargetTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let target: String
        let segments: [String]
        let pairs: [String]

        init(_ name: String, _ target: String, _ segments: [String], _ pairs: [String] = []) {
            testDescription = name
            self.target = target
            self.segments = segments
            self.pairs = pairs
        }
    }

    static let cases: [Case] = [
        Case("the root has no segments", "/", []),
        Case("segments", "/v1/a/b", ["v1", "a", "b"]),
        Case("a trailing slash is an empty segment", "/a/", ["a", ""]),
        Case("empty segments stay", "/a//b", ["a", "", "b"]),
        Case("an encoded slash does not split", "/a%2Fb/c", ["a/b", "c"]),
        Case("a plus in the path is a plus", "/a+b", ["a+b"]),
        Case("UTF-8, encoded", "/%C3%A9t%c3%a9", ["été"]),
        Case("UTF-8, raw", "/été", ["été"]),
        Case("the absolute form", "http://host:80/a?b=c", ["a"], ["b=c"]),
        Case("the asterisk form", "*", []),
        Case("pairs in order", "/a?x=1&y=2&x=3", ["a"], ["x=1", "y=2", "x=3"]),
        Case("plus and %20 are spaces", "/a?q=a+b%20c%2B", ["a"], ["q=a b c+"]),
        Case("no value, no name, empty pairs", "/a?x&=y&&z=", ["a"], ["x=", "=y", "z="]),
        Case("an encoded ampersand and equals sign", "/a?n%3D=v%26w=x", ["a"], ["n==v&w=x"]),
        Case("a second question mark is data", "/a?b=c?d", ["a"], ["b=c?d"]),
        Case("an empty query", "/a?", ["a"]),
    ]

    @Test("decoded", arguments: cases)
    func decoded(_ each: Case) throws {
        let request = try HTTPRequest(method: .get, target: each.target)
        #expect(request.pathSegments == each.segments)
        #expect(request.query.map { "\($0.name)=\($0.value)" } == each.pairs)
        #expect(request.target == each.target)
    }

    @Test(
        "refused",
        arguments: [
            "", "a", "/%", "/%4", "/%zz", "/a%00b", "/?a=%00", "/%FF", "/%C3", "/?q=%C3%28",
            "/%ED%A0%80", "/%C0%AF", "/a#b", "/a b", "/a\u{7f}", "/a\u{0}", "host:80",
            "http://host", "http:///a", "ftp://host/a", "**",
        ])
    func refused(_ target: String) {
        #expect(throws: HTTPServerError.targetInvalid) {
            try HTTPRequest(method: .get, target: target)
        }
    }

    @Test("headers are found in any case; repeated lines are joined")
    func headers() throws {
        let request = try HTTPRequest(
            method: .get, target: "/",
            headers: [("Prefer", "wait=5"), ("ETag", "x"), ("PREFER", "count=exact")])
        #expect(request.headers["prefer"] == "wait=5, count=exact")
        #expect(request.headers["etag"] == "x")
        #expect(request.headers["eta"] == nil)
        #expect(request.headers.contains("ETAG"))
        #expect(request.headers.map(\.name) == ["prefer", "etag", "prefer"])
    }

    @Test("a response header cannot start another line")
    func injection() {
        var headers: HTTPHeaders = ["Location": "/a\r\nSet-Cookie: x"]
        headers.append("ETag", "\"1\"")
        #expect(headers["location"] == "/a  Set-Cookie: x")
        #expect(headers["etag"] == "\"1\"")
        #expect(headers["set-cookie"] == nil)
    }

    @Test(
        "listen addresses",
        arguments: [
            ("127.0.0.1:8080", "127.0.0.1:8080"), ("[::]:80", "[::]:80"),
            ("localhost:1", "127.0.0.1:1"), ("unix:/a/b", "unix:/a/b"), ("8080", nil),
            (":8080", nil), ("::1:80", nil), ("unix:a", nil), ("127.0.0.1:65536", nil),
        ] as [(String, String?)])
    func listenAddress(text: String, expected: String?) {
        #expect(HTTPListenAddress(text)?.description == expected)
    }
}
