import Projection
import Testing

@Suite("LiveCursor")
struct LiveCursorTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let redis: LiveCursor
        let postgres: LaneCursor
        let order: LiveCursor.Order
    }

    private static func at(
        _ done: String, _ goal: String? = nil, _ xid: String = "0", _ position: Int64 = 0
    ) -> LaneCursor {
        LaneCursor(done: done, goal: goal, xid: xid, position: position)
    }

    static let cases: [Case] = [
        Case(
            testDescription: "the same", redis: LiveCursor(at("5:9:6")), postgres: at("5:9:6"),
            order: .level),
        Case(
            testDescription: "a goal was finished in Redis alone", redis: LiveCursor(at("9:9:")),
            postgres: at("5:9:6", "9:9:", "7", 3), order: .ahead),
        Case(
            testDescription: "a goal was finished in PostgreSQL alone",
            redis: LiveCursor(at("5:9:6", "9:9:", "7", 3)), postgres: at("9:9:"), order: .behind),
        Case(
            testDescription: "one that ran has ended: a later snapshot",
            redis: LiveCursor(at("5:9:6")), postgres: at("5:9:6,7"), order: .ahead),
        Case(
            testDescription: "the first page of a goal",
            redis: LiveCursor(at("5:5:", "9:9:", "6", 1)),
            postgres: at("5:5:"), order: .ahead),
        Case(
            testDescription: "a part of the first page",
            redis: LiveCursor(at("5:5:", "9:9:"), mark: "a000000001"), postgres: at("5:5:"),
            order: .ahead),
        Case(
            testDescription: "a page further", redis: LiveCursor(at("5:5:", "9:9:", "10", 1)),
            postgres: at("5:5:", "9:9:", "9", 7), order: .ahead),
        Case(
            testDescription: "a page back", redis: LiveCursor(at("5:5:", "9:9:", "6", 1)),
            postgres: at("5:5:", "9:9:", "6", 2), order: .behind),
        Case(
            testDescription: "a part of the next page",
            redis: LiveCursor(at("5:5:", "9:9:", "6", 2), mark: "b"),
            postgres: at("5:5:", "9:9:", "6", 2), order: .ahead),
        Case(
            testDescription: "an earlier goal that got further sees less",
            redis: LiveCursor(at("5:5:", "8:8:", "7", 9)), postgres: at("5:5:", "9:9:", "6", 2),
            order: .behind),
        Case(
            testDescription: "a goal that PostgreSQL has and Redis not",
            redis: LiveCursor(at("5:5:")), postgres: at("5:5:", "9:9:", "6", 2), order: .behind),
        Case(
            testDescription: "no snapshot", redis: LiveCursor(at("x")), postgres: at("5:5:"),
            order: .behind),
    ]

    @Test("Redis' copy against PostgreSQL's", arguments: cases)
    func order(_ each: Case) {
        #expect(each.redis.compared(to: each.postgres) == each.order)
    }
}
