import Testing

@testable import Postgres

@Suite("PipelineQueue")
struct PipelineQueueTests {
    typealias Queue = PipelineQueue<String, Int>

    private static let failure = ServerError(sqlState: "23505", message: "")

    /// Segments of requests (name, preludes), the replies, and what is reported.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let segments: [[(String, UInt8)]]
        let replies: String
        let outcomes: String
        var testDescription: String { name }
    }

    /// Replies: s succeeded, f failed, k skipped, | synchronized.
    static let cases = [
        Case(
            name: "one request", segments: [[("a", 0)]], replies: "s|", outcomes: "a=ok;end 1"),
        Case(
            name: "a prepared one", segments: [[("a", 1)]], replies: "ss|",
            outcomes: "a=ok;end 1"),
        Case(
            name: "prepared again", segments: [[("a", 2)]], replies: "sss|",
            outcomes: "a=ok;end 1"),
        Case(
            name: "an error stays in its segment", segments: [[("a", 0)], [("b", 0)], [("c", 0)]],
            replies: "s|f|s|", outcomes: "a=ok;end 1;b=23505;end 1;c=ok;end 1"),
        Case(
            name: "an error skips the rest of the segment",
            segments: [[("a", 0), ("b", 0), ("c", 1)], [("d", 0)]], replies: "sfkk|s|",
            outcomes: "unprepared c;a=ok;b=23505;c=skipped;end 3;d=ok;end 1"),
        Case(
            name: "a failed preparation", segments: [[("a", 1), ("b", 0)]], replies: "fkk|",
            outcomes: "unprepared a;a=23505;b=skipped;end 2"),
        Case(
            name: "a failed commit", segments: [[("a", 0), ("b", 0)]], replies: "ssf|",
            outcomes: "a=ok;b=ok;end 2 not committed"),
        Case(
            name: "a sync too early", segments: [[("a", 0)]], replies: "|",
            outcomes: "out of step"),
        Case(name: "an answer too many", segments: [], replies: "s", outcomes: "out of step"),
        Case(
            name: "an answer instead of a sync", segments: [[("a", 0)]], replies: "ss",
            outcomes: "out of step"),
    ]

    @Test("replies are matched to requests", arguments: cases)
    func replies(_ test: Case) {
        var queue = Queue()
        for segment in test.segments {
            for (request, preludes) in segment { queue.append(request, preludeCount: preludes) }
            #expect(queue.endSegment() == true)
        }
        #expect(queue.endSegment() == false)
        var seen: [String] = []
        for reply in test.replies {
            let action =
                switch reply {
                case "s": queue.receive(.succeeded(1))
                case "f": queue.receive(.failed(PipelineQueueTests.failure))
                case "k": queue.receive(.skipped)
                default: queue.receive(.synchronized)
                }
            seen += PipelineQueueTests.describe(action, &queue)
        }
        #expect(seen.joined(separator: ";") == test.outcomes)
    }

    private static func describe(_ action: Queue.Action, _ queue: inout Queue) -> [String] {
        switch action {
        case .none: return []
        case .outOfStep: return ["out of step"]
        case .preparationFailed(let index): return ["unprepared " + queue.update(index) { $0 }]
        case .segmentEnded(let count):
            return entries(count, &queue) + ["end \(count)"]
        case .commitFailed(let count, _):
            return entries(count, &queue) + ["end \(count) not committed"]
        }
    }

    private static func entries(_ count: Int, _ queue: inout Queue) -> [String] {
        (0..<count).map { _ in
            guard let entry = queue.removeFirst() else { return "too few entries" }
            let outcome =
                switch entry.outcome {
                case .none: "nothing"
                case .succeeded: "ok"
                case .failed(let error): error.sqlState
                case .skipped: "skipped"
                }
            return "\(entry.request)=\(outcome)"
        }
    }

    @Test("a lost connection gives back all that is unanswered, and the queue starts anew")
    func lost() {
        var queue = Queue()
        for name in ["a", "b", "c"] { queue.append(name, preludeCount: 0) }
        _ = queue.endSegment()
        _ = queue.receive(.succeeded(1))
        #expect(queue.removeAll().map(\.request) == ["a", "b", "c"])
        queue.append("d", preludeCount: 0)
        _ = queue.endSegment()
        _ = queue.receive(.succeeded(1))
        guard case .segmentEnded(1) = queue.receive(.synchronized) else {
            Issue.record("the queue kept something of the lost connection")
            return
        }
    }
}
