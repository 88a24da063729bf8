import Projection
import Testing

/// Which transactions a parked row carries, so that their tokens are not applied.
@Suite("PageOrigins")
struct PageOriginsTests {
    /// Transactions 1 and 2 change the key `a` of `things`, 3 its `b`, 4 and 5 rows of `tags`.
    private static func origins(_ more: [OutboxRow] = []) -> PageOrigins {
        var origins = PageOrigins()
        for (xid, entity, key) in [
            ("1", "things", "a"), ("2", "things", "a"), ("3", "things", "b"), ("4", "tags", "x"),
            ("5", "tags", "y"),
        ] {
            origins.add(row(xid, entity, key))
        }
        for row in more { origins.add(row) }
        return origins
    }

    private static func row(_ xid: String, _ entity: String, _ key: String?) -> OutboxRow {
        OutboxRow(xid: xid, position: 0, entity: entity, key: key, operation: .update)
    }

    @Test("each transaction of the key, not of its neighbours")
    func ownRows() {
        #expect(Self.origins().xids(entity: "things", key: "a") == ["1", "2"])
        #expect(Self.origins().xids(entity: "things", key: "b") == ["3"])
        #expect(Self.origins().xids(entity: "things", key: "c") == [])
        #expect(Self.origins().xids(entity: "tags", key: "a") == [])
    }

    @Test("each row that was given to a rule which named the key")
    func derived() {
        var origins = Self.origins()
        origins.derive(["b", "c"], of: "things", from: "tags")
        #expect(origins.xids(entity: "things", key: "a") == ["1", "2"])
        #expect(origins.xids(entity: "things", key: "b") == ["3", "4", "5"])
        #expect(origins.xids(entity: "things", key: "c") == ["4", "5"])
        #expect(origins.xids(entity: "tags", key: "x") == ["4"])
    }

    @Test("a rule that named too many may have named any")
    func uncounted() {
        var origins = Self.origins()
        origins.derive(nil, of: "things", from: "tags")
        #expect(origins.xids(entity: "things", key: "z") == ["4", "5"])
    }

    @Test("a marker of the whole entity, and of one that a rule reads")
    func markers() {
        var origins = Self.origins([Self.row("6", "things", nil), Self.row("7", "tags", nil)])
        #expect(origins.xids(entity: "things", key: "z") == ["6"])
        origins.derive([], of: "things", from: "tags")
        #expect(origins.xids(entity: "things", key: "z") == ["6", "7"])
    }
}
