import Testing

@testable import Gateway

@Suite("Request")
struct RequestTests {
    struct RouteCase: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let segments: [String]
        let expected: Route?

        init(_ path: String, _ expected: Route?) {
            testDescription = path
            segments = path.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
                .map(String.init)
            self.expected = expected
        }
    }

    static let routes: [RouteCase] = [
        RouteCase("/health/live", .live),
        RouteCase("/health/ready", .ready),
        RouteCase("/health/other", nil),
        RouteCase("/v1/p/things", .collection(pack: "p", entity: "things")),
        RouteCase("/v1/p/things/7", .item(pack: "p", entity: "things", id: "7")),
        RouteCase("/v1/p/things/", nil),
        RouteCase("/v1//things", nil),
        RouteCase("/v1/p/things/7/connections", .connections(pack: "p", entity: "things", id: "7")),
        RouteCase("/v1/p/things/7/sync", .entitySync(pack: "p", entity: "things", id: "7")),
        RouteCase(
            "/v1/p/things/7/other",
            .belongings(pack: "p", entity: "things", id: "7", name: "other")),
        RouteCase("/v1/p/things/7/other/8", nil),
        RouteCase("/v1/p/batch", .batch(pack: "p")),
        RouteCase("/v1/p/search", .search(pack: "p")),
        RouteCase("/v1/p/events", .events(pack: "p")),
        RouteCase("/v1/p/channels/a:1:b", .channel(pack: "p", name: "a:1:b")),
        RouteCase("/v1/p/channels/", nil),
        RouteCase("/v1/sync/status", .syncStatus),
        RouteCase("/v1/sync/parked", .parkedList),
        RouteCase("/v1/sync/parked/3", .parkedItem(id: "3")),
        RouteCase("/v1/sync/parked/3/retry", .parkedRetry(id: "3")),
        RouteCase("/v1/sync/parked/3/other", nil),
        RouteCase("/v1/p", nil),
        RouteCase("/", nil),
    ]

    @Test("routes", arguments: routes)
    func route(_ each: RouteCase) {
        #expect(Route(each.segments) == each.expected)
    }

    @Test("preferences are read, the first one counts, unknown ones are ignored")
    func preferences() {
        let read = Preferences(
            #"return=representation, count=exact,wait=500 , resolution="merge-duplicates", x, "#
                + "foo=1, return=minimal, missing=default, max-affected=3")
        #expect(read.returning == .representation)
        #expect(read.count == .exact)
        #expect(read.waitMilliseconds == 500)
        #expect(read.resolution == .mergeDuplicates)
        #expect(read.isMissingDefault)
        #expect(read.maxAffected == 3)
        #expect(Preferences("wait=999999").waitMilliseconds == Preferences.waitMillisecondsMax)
        #expect(Preferences("wait=-1, count=no").waitMilliseconds == nil)
        #expect(Preferences(nil) == Preferences(""))
    }

    @Test(
        "max-affected is a number or refused",
        arguments: ["0", "\"7\"", "-1", "x", "", "+1", "1.0"])
    func maxAffected(_ text: String) throws {
        let preferences = Preferences("max-affected=\(text)")
        guard ["0", "\"7\""].contains(text) else {
            #expect(throws: Problem.self) { try preferences.requireMaxAffected() }
            return
        }
        try preferences.requireMaxAffected()
        #expect(preferences.maxAffected == (text == "0" ? 0 : 7))
    }

    @Test("max-affected without a value is refused")
    func maxAffectedAlone() {
        #expect(throws: Problem.self) { try Preferences("max-affected").requireMaxAffected() }
    }

    @Test("a token survives the journey")
    func tokenRoundTrip() {
        let token = ConsistencyToken(xid: 0x1_2345_6789, origin: 0xdead_beef)
        #expect(ConsistencyToken(token.text) == token)
        #expect(
            ConsistencyToken.origin(systemIdentifier: 1, timeline: 1)
                != ConsistencyToken.origin(systemIdentifier: 1, timeline: 2))
    }

    @Test(
        "what is no token is refused",
        arguments: [
            "", ".", "1", "1.", ".1", "1.2.3", "g.1", "-1.1", "+1.1", "11111111111111111.1",
            "1.111111111",
        ])
    func badTokens(_ text: String) {
        #expect(ConsistencyToken(text) == nil)
    }
}
