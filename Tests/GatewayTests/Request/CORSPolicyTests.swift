import HTTPServer
import Testing

@testable import Gateway

@Suite("CORSPolicy")
struct CORSPolicyTests {
    @Test(
        "origins as browsers send them",
        arguments: [
            ("*", true), ("https://a.example", true), ("http://localhost:3000", true),
            ("https://a.example, https://b.example", true), ("http://[::1]:80", true),
            ("", false), (",", false), ("a.example", false), ("https://a.example/", false),
            ("https://a.example/x", false), ("https://*.a.example", false), ("https://", false),
            ("HTTPS://A.EXAMPLE", false), ("null", false), ("ftp://a.example", false),
            ("*,https://a.example", false),
        ])
    func read(_ text: String, _ isValid: Bool) {
        #expect((CORSPolicy(text) != nil) == isValid)
    }

    private func preflight(
        _ policy: String, _ headers: [(String, String)]
    ) throws -> HTTPResponse? {
        let policy = try #require(CORSPolicy(policy))
        let request = try HTTPRequest(
            method: .options, target: "/v1/p/things",
            headers: headers.map { (name: $0.0, value: $0.1) })
        return policy.preflight(request)
    }

    @Test("no header is offered that nothing reads or sends")
    func headersAreReal() throws {
        let asked = ("Access-Control-Request-Method", "POST")
        let response = try preflight("*", [("Origin", "https://a.example"), asked])
        let offered = response?.headers["Access-Control-Allow-Headers"]
        #expect(offered?.contains("Fourfold-User") == true)
        #expect(offered?.contains("Idempotency") == false)
    }

    @Test("a preflight of a listed origin is allowed, of another is not")
    func preflights() throws {
        let asked = ("Access-Control-Request-Method", "PUT")
        let allowed = try #require(
            try preflight("https://a.example", [("Origin", "https://a.example"), asked]))
        #expect(allowed.status == 204)
        #expect(allowed.headers["Access-Control-Allow-Origin"] == "https://a.example")
        #expect(allowed.headers["Vary"] == "Origin")
        let refused = try #require(
            try preflight("https://a.example", [("Origin", "https://b.example"), asked]))
        #expect(refused.headers["Access-Control-Allow-Origin"] == nil)
        #expect(refused.headers["Access-Control-Allow-Methods"] == nil)
        #expect(refused.headers["Vary"] == "Origin")
        #expect(try preflight("*", [("Origin", "https://a.example")]) == nil)
        #expect(try preflight("*", [asked]) == nil)
    }

    @Test("answers name the origin, and never allow credentials")
    func answers() throws {
        var response = HTTPResponse(status: 200)
        try #require(CORSPolicy("*")).decorate(&response, "https://a.example")
        #expect(response.headers["Access-Control-Allow-Origin"] == "*")
        #expect(response.headers["Access-Control-Allow-Credentials"] == nil)
        #expect(response.headers["Vary"] == nil)
        var plain = HTTPResponse(status: 200)
        try #require(CORSPolicy("https://a.example")).decorate(&plain, nil)
        #expect(plain.headers["Access-Control-Allow-Origin"] == nil)
        #expect(plain.headers["Vary"] == "Origin")
    }
}
