import Testing

@testable import Live

@Suite("HistoryGap")
struct HistoryGapTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let id: UInt64
        var histories: [HistoryGap.History] = []
        var channelCount = 1
        let expected: HistoryGap?
    }

    /// The first id is 1,000, the last 9,000; it is 10,000 now, and histories last for 5,000.
    static let cases: [Case] = [
        Case(testDescription: "the last id", id: 9_000, expected: nil),
        Case(testDescription: "before Redis knew anything", id: 999, expected: .lost),
        Case(testDescription: "the first position", id: 1_000, expected: .expired),
        Case(testDescription: "an id that Redis has forgotten", id: 9_001, expected: .lost),
        Case(testDescription: "no history, within its time", id: 5_000, expected: nil),
        Case(testDescription: "no history, past its time", id: 4_999, expected: .expired),
        Case(
            testDescription: "a whole history", id: 5_000,
            histories: [.init(count: 2, addedCount: 2, first: 6_000)], expected: nil),
        Case(
            testDescription: "a whole history that began in time", id: 2_000,
            histories: [.init(count: 2, addedCount: 2, first: 7_000)], expected: nil),
        Case(
            testDescription: "a history that may have expired before it began", id: 1_999,
            histories: [.init(count: 2, addedCount: 2, first: 7_000)], expected: .expired),
        Case(
            testDescription: "a trimmed history, from before its first", id: 5_999,
            histories: [.init(count: 2, addedCount: 3, first: 6_000)], expected: .trimmed),
        Case(
            testDescription: "a trimmed history, from its first on", id: 6_000,
            histories: [.init(count: 2, addedCount: 3, first: 6_000)], expected: nil),
        Case(
            testDescription: "one of two is gone", id: 4_000,
            histories: [.init(count: 1, addedCount: 1, first: 8_000)], channelCount: 2,
            expected: .expired),
        Case(
            testDescription: "one of two is trimmed", id: 6_000,
            histories: [
                .init(count: 1, addedCount: 1, first: 8_000),
                .init(count: 1, addedCount: 9, first: 8_500),
            ], channelCount: 2, expected: .trimmed),
    ]

    @Test("what may be missing", arguments: cases)
    func find(_ each: Case) {
        let facts = HistoryGap.Facts(
            last: 9_000, since: 1_000, now: 10_000, histories: each.histories)
        let gap = HistoryGap.find(
            after: each.id, facts, channelCount: each.channelCount, retention: 5_000)
        #expect(gap == each.expected)
    }

    @Test("the future is after the last id and after now")
    func future() {
        let behind = HistoryGap.Facts(last: 10, since: 1, now: 20, histories: [])
        #expect(!HistoryGap.isFuture(20, behind))
        #expect(HistoryGap.isFuture(21, behind))
        let ahead = HistoryGap.Facts(last: 30, since: 1, now: 20, histories: [])
        #expect(!HistoryGap.isFuture(30, ahead))
        #expect(HistoryGap.isFuture(31, ahead))
    }
}
