import Testing

@testable import Live

@Suite("ServerSentEvent")
struct ServerSentEventTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var id: UInt64 = 7
        let data: String
        let expected: String
    }

    static let cases: [Case] = [
        Case(
            testDescription: "one line", data: "{\"a\":1}",
            expected: "id: 7\nevent: c\ndata: {\"a\":1}\n\n"),
        Case(
            testDescription: "no id", id: 0, data: "x", expected: "event: c\ndata: x\n\n"),
        Case(testDescription: "nothing", data: "", expected: "id: 7\nevent: c\ndata: \n\n"),
        Case(
            testDescription: "line feed", data: "a\nb",
            expected: "id: 7\nevent: c\ndata: a\ndata: b\n\n"),
        Case(
            testDescription: "carriage return", data: "a\rb",
            expected: "id: 7\nevent: c\ndata: a\ndata: b\n\n"),
        Case(
            testDescription: "both", data: "a\r\nb",
            expected: "id: 7\nevent: c\ndata: a\ndata: b\n\n"),
        Case(
            testDescription: "an empty last line", data: "a\n",
            expected: "id: 7\nevent: c\ndata: a\ndata: \n\n"),
        Case(
            testDescription: "what looks like a field", data: "a\nid: 9\n\nevent: x",
            expected: "id: 7\nevent: c\ndata: a\ndata: id: 9\ndata: \ndata: event: x\n\n"),
    ]

    @Test("every line of the data is a line of data", arguments: cases)
    func encode(_ each: Case) {
        let bytes = ServerSentEvent.encode(id: each.id, event: "c", data: Array(each.data.utf8))
        #expect(String(decoding: bytes, as: UTF8.self) == each.expected)
    }

    @Test("what is no event")
    func others() {
        let start = ServerSentEvent.start(retryMilliseconds: 2_000, id: 7)
        #expect(String(decoding: start, as: UTF8.self) == "retry: 2000\nid: 7\n\n")
        let heartbeat = ServerSentEvent.heartbeat(8)
        #expect(String(decoding: heartbeat, as: UTF8.self) == ":\nid: 8\n\n")
    }
}
