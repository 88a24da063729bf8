/// Keys to be made equal to their view in one target, in the order in which they are written.
package struct DirtyKeys: Equatable, Sendable {
    /// Sorted, so that batches take locks in one order.
    package private(set) var keys: [String]
    /// Keys among them that may have something stale in the store.
    package private(set) var stale: Set<String>

    package init(created: Set<String> = [], changed: Set<String>) {
        keys = created.union(changed).sorted()
        stale = changed
    }

    package var isEmpty: Bool { keys.isEmpty }

    package mutating func add(changed more: Set<String>) {
        self = DirtyKeys(created: Set(keys).subtracting(stale).subtracting(more), changed: stale.union(more))
    }

    /// Pieces of at most `count` keys.
    package func chunks(of count: Int) -> [DirtyKeys] {
        stride(from: 0, to: keys.count, by: count).map { start in
            let part = Set(keys[start..<min(start + count, keys.count)])
            return DirtyKeys(
                created: part.subtracting(stale), changed: part.intersection(stale))
        }
    }
}
