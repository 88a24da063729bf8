import HTTPServer
@testable import Packs
import Testing

@testable import Gateway

@Suite("EventsRequest")
struct EventsRequestTests {
    private static let owner = "a0000000-0000-4000-8000-000000000001"

    private static let rules: LiveRules = {
        var rules = LiveRules()
        rules.channels = ["u:{owner}:x", "room:{id}", "all"].compactMap { KeyPattern($0) }.map {
            ChannelRule(pattern: $0, schema: nil, changes: [], isPublishable: true)
        }
        return rules
    }()

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let query: String
        var header: String?
        var owner: String?
        var channels: [String] = []
        var lastID: UInt64?
        var code: ProblemCode?
    }

    static let cases: [Case] = [
        Case(testDescription: "one", query: "channels=u:1:x", channels: ["u:1:x"]),
        Case(
            testDescription: "several, without repeats", query: "channels=u:1:x,all,u:1:x",
            channels: ["u:1:x", "all"]),
        Case(
            testDescription: "the parameter twice", query: "channels=all&channels=room:1,all",
            channels: ["all", "room:1"]),
        Case(testDescription: "encoded", query: "channels=u%3A1%3Ax", channels: ["u:1:x"]),
        Case(
            testDescription: "an id in the query", query: "channels=all&last_event_id=7",
            channels: ["all"], lastID: 7),
        Case(
            testDescription: "the header counts", query: "channels=all&last_event_id=7",
            header: "8", channels: ["all"], lastID: 8),
        Case(
            testDescription: "an empty header is none", query: "channels=all", header: "",
            channels: ["all"]),
        Case(testDescription: "no id", query: "channels=all", header: "x", code: .invalidHeader),
        Case(testDescription: "none", query: "channels=", code: .invalidParameter),
        Case(testDescription: "no parameter", query: "", code: .invalidParameter),
        Case(testDescription: "too many", query: "channels=a,b,c,d", code: .invalidParameter),
        Case(
            testDescription: "another parameter", query: "channels=all&limit=1",
            code: .invalidParameter),
        Case(
            testDescription: "an id twice", query: "channels=all&last_event_id=7&last_event_id=8",
            code: .invalidParameter),
        Case(
            testDescription: "an owner twice", query: "channels=all&user=1&user=2",
            code: .invalidParameter),
        Case(testDescription: "no such channel", query: "channels=u:1:y", code: .unknownChannel),
        Case(testDescription: "a wildcard", query: "channels=u:*:x", code: .unknownChannel),
        Case(
            testDescription: "the owner's",
            query: "channels=u:a0000000-0000-4000-8000-000000000001:x", owner: owner,
            channels: ["u:a0000000-0000-4000-8000-000000000001:x"]),
        Case(
            testDescription: "the owner's, written otherwise",
            query: "channels=u:a0000000-0000-4000-8000-000000000001:x",
            owner: "A0000000-0000-4000-8000-000000000001",
            channels: ["u:a0000000-0000-4000-8000-000000000001:x"]),
        Case(
            testDescription: "another's", query: "channels=u:2:x", owner: owner,
            code: .unknownChannel),
        Case(
            testDescription: "nobody's", query: "channels=all", owner: owner,
            code: .unknownChannel),
        Case(
            testDescription: "of no owner", query: "channels=room:1", owner: owner,
            code: .unknownChannel),
    ]

    @Test("what is asked for", arguments: cases)
    func parse(_ each: Case) throws {
        let request = try HTTPRequest(
            method: .get, target: "/v1/p/events?" + each.query,
            headers: each.header.map { [("Last-Event-ID", $0)] } ?? [])
        do throws(Problem) {
            let parsed = try EventsRequest(
                request, Self.rules, owner: each.owner, channelCountMax: 3)
            #expect(parsed.channels == each.channels)
            #expect(parsed.lastID == each.lastID)
            #expect(each.code == nil)
        } catch {
            #expect(error.code == each.code)
        }
    }
}
