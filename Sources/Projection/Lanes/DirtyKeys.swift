/// Keys of one entity to be made equal to its views, in the order in which they are written.
package struct DirtyKeys: Equatable, Sendable {
    /// Sorted, so that batches take locks in one order.
    package let keys: [String]
    /// Keys among them that may have something stale in the store.
    package let stale: Set<String>

    package init(created: Set<String> = [], changed: Set<String>) {
        keys = created.union(changed).sorted()
        stale = changed
    }

    package var isEmpty: Bool { keys.isEmpty }
    package var staleKeys: [String] { keys.filter(stale.contains) }

    package func union(changed more: Set<String>) -> DirtyKeys {
        let changed = stale.union(more)
        return DirtyKeys(created: Set(keys).subtracting(changed), changed: changed)
    }

    /// Pieces of at most `count` keys.
    package func chunks(of count: Int) -> [DirtyKeys] {
        stride(from: 0, to: keys.count, by: count).map { start in
            piece(start..<min(start + count, keys.count))
        }
    }

    /// The first `count` keys, and the others.
    package func split(at count: Int) -> (first: DirtyKeys, second: DirtyKeys) {
        (piece(0..<count), piece(count..<keys.count))
    }

    private func piece(_ range: Range<Int>) -> DirtyKeys {
        let part = Set(keys[range])
        return DirtyKeys(created: part.subtracting(stale), changed: part.intersection(stale))
    }
}
