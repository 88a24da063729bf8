import Projection
import Testing

@Suite("PageCoalescer")
struct PageCoalescerTests {
    typealias Operation = OutboxRow.Operation

    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let rows: [(String?, Operation)]
        let created: Set<String>
        let changed: Set<String>
        let mustResync: Bool

        init(
            _ name: String, _ rows: [(String?, Operation)], created: Set<String> = [],
            changed: Set<String> = [], mustResync: Bool = false
        ) {
            testDescription = name
            self.rows = rows
            self.created = created
            self.changed = changed
            self.mustResync = mustResync
        }
    }

    static let cases: [Case] = [
        Case("an insert", [("a", .insert)], created: ["a"]),
        Case("a burst on one key", [("a", .update), ("a", .update)], changed: ["a"]),
        Case("insert then update may be stale", [("a", .insert), ("a", .update)], changed: ["a"]),
        Case("delete then insert may be stale", [("a", .delete), ("a", .insert)], changed: ["a"]),
        Case("two keys", [("b", .insert), ("a", .delete)], created: ["b"], changed: ["a"]),
        Case("TRUNCATE", [(nil, .truncate)], mustResync: true),
        Case(
            "keys beside a TRUNCATE", [("a", .insert), (nil, .resync), ("b", .update)],
            created: ["a"], changed: ["b"], mustResync: true),
    ]

    @Test("rows of one entity", arguments: cases)
    func coalesce(_ each: Case) {
        let rows = each.rows.enumerated().map { index, row in
            OutboxRow(
                xid: "7", position: Int64(index), entity: "things", key: row.0, operation: row.1)
        }
        let coalescer = PageCoalescer(rows)
        let changes = coalescer.changes["things"]
        #expect(changes?.created == each.created)
        #expect(changes?.changed == each.changed)
        #expect(changes?.mustResync == each.mustResync)
        #expect(coalescer.rowCount == each.rows.count)
        #expect(coalescer.last?.position == Int64(each.rows.count - 1))
    }

    @Test("entities stay apart, columns are kept once")
    func entities() {
        let coalescer = PageCoalescer([
            OutboxRow(xid: "7", position: 1, entity: "a", key: "k", operation: .insert),
            OutboxRow(
                xid: "7", position: 2, entity: "b", key: "k", operation: .update, columns: "{}"),
            OutboxRow(
                xid: "9", position: 3, entity: "b", key: "k", operation: .update, columns: "{}"),
        ])
        #expect(coalescer.changes["a"]?.created == ["k"])
        #expect(coalescer.changes["b"]?.rows.count == 1)
        #expect(coalescer.origins.xids(entity: "a", key: "k") == ["7"])
        #expect(coalescer.origins.xids(entity: "b", key: "k") == ["7", "9"])
    }

    @Test("chunks keep order and what may be stale")
    func chunks() {
        let dirty = DirtyKeys(created: ["c", "a"], changed: ["d", "b", "a"])
        #expect(dirty.keys == ["a", "b", "c", "d"])
        #expect(dirty.stale == ["a", "b", "d"])
        let chunks = dirty.chunks(of: 3)
        #expect(chunks.map(\.keys) == [["a", "b", "c"], ["d"]])
        #expect(chunks.map(\.stale) == [["a", "b"], ["d"]])
    }
}
