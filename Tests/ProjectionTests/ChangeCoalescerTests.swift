import Projection
import Testing

@Suite("ChangeCoalescer")
struct ChangeCoalescerTests {
    typealias Operation = OutboxRow.Operation

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let rows: [(String?, Operation)]
        let told: [(String, RowChange.Action)]

        init(
            _ name: String, _ rows: [(String?, Operation)], _ told: [(String, RowChange.Action)]
        ) {
            testDescription = name
            self.rows = rows
            self.told = told
        }
    }

    static let cases: [Case] = [
        Case("an insert", [("a", .insert)], [("a", .created)]),
        Case("an update", [("a", .update)], [("a", .updated)]),
        Case("a delete", [("a", .delete)], [("a", .deleted)]),
        Case("insert, update", [("a", .insert), ("a", .update)], [("a", .created)]),
        Case("insert, delete", [("a", .insert), ("a", .delete)], [("a", .vanished)]),
        Case(
            "insert, update, delete", [("a", .insert), ("a", .update), ("a", .delete)],
            [("a", .vanished)]),
        Case(
            "insert, delete, insert", [("a", .insert), ("a", .delete), ("a", .insert)],
            [("a", .created)]),
        Case("updates", [("a", .update), ("a", .update)], [("a", .updated)]),
        Case("update, delete", [("a", .update), ("a", .delete)], [("a", .deleted)]),
        Case("delete, insert", [("a", .delete), ("a", .insert)], [("a", .updated)]),
        Case(
            "delete, insert, delete", [("a", .delete), ("a", .insert), ("a", .delete)],
            [("a", .deleted)]),
        Case(
            "delete, insert, update", [("a", .delete), ("a", .insert), ("a", .update)],
            [("a", .updated)]),
        Case("TRUNCATE alone", [(nil, .truncate)], []),
        Case(
            "beside a TRUNCATE", [("a", .insert), (nil, .truncate), ("b", .update)],
            [("a", .created), ("b", .updated)]),
        Case("a rewrite is no change", [("a", .rewrite)], []),
        Case("an insert keeps its place", [("a", .insert), ("b", .insert), ("a", .update)],
            [("a", .created), ("b", .created)]),
        Case("an update stands where the last one was",
            [("a", .update), ("b", .update), ("a", .update)], [("b", .updated), ("a", .updated)]),
        Case("a delete stands where it was", [("a", .update), ("b", .insert), ("a", .delete)],
            [("b", .created), ("a", .deleted)]),
    ]

    @Test("rows of one entity", arguments: cases)
    func coalesce(_ each: Case) {
        let coalescer = ChangeCoalescer(
            each.rows.enumerated().map { index, row in
                OutboxRow(
                    xid: "7", position: Int64(index), entity: "things", key: row.0,
                    operation: row.1, owner: "me")
            })
        let told = each.told.map { key, action in
            RowChange(entity: "things", key: key, owner: "me", action: action)
        }
        #expect(coalescer.changes == told)
    }

    @Test("entities stay apart; the owner is whichever row knows it")
    func entities() {
        let coalescer = ChangeCoalescer([
            OutboxRow(xid: "7", position: 1, entity: "a", key: "k", operation: .insert),
            OutboxRow(
                xid: "7", position: 2, entity: "b", key: "k", operation: .delete, owner: "me"),
            OutboxRow(
                xid: "7", position: 3, entity: "a", key: "k", operation: .update, owner: "you"),
        ])
        #expect(
            coalescer.changes == [
                RowChange(entity: "a", key: "k", owner: "you", action: .created),
                RowChange(entity: "b", key: "k", owner: "me", action: .deleted),
            ])
    }
}
