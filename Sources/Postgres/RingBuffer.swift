/// A first-in, first-out queue in one growing array.
struct RingBuffer<Element> {
    private var slots: [Element?]
    private var head = 0
    private(set) var count = 0

    init(minimumCapacity: Int = 16) {
        var capacity = 1
        while capacity < minimumCapacity { capacity *= 2 }
        slots = Array(repeating: nil, count: capacity)
    }

    var isEmpty: Bool { count == 0 }

    private func slot(_ index: Int) -> Int { (head &+ index) & (slots.count &- 1) }

    mutating func append(_ element: consuming Element) {
        if count == slots.count { grow() }
        slots[slot(count)] = element
        count &+= 1
    }

    mutating func removeFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = slots[head].take()
        head = slot(1)
        count &-= 1
        return element
    }

    /// Changes the element at `index`, counted from the oldest, in place.
    mutating func update<Result>(_ index: Int, _ body: (inout Element) -> Result) -> Result {
        precondition(index >= 0 && index < count, "index outside the queue")
        guard let result = slots[slot(index)].mutate(body) else {
            preconditionFailure("a slot inside the queue is empty")
        }
        return result
    }

    /// Removes the elements for which `body` says so, and keeps the order of the others.
    mutating func removeAll(where body: (Element) -> Bool) -> [Element] {
        var removed: [Element] = []
        for _ in 0..<count {
            guard let element = removeFirst() else { break }
            if body(element) { removed.append(element) } else { append(element) }
        }
        return removed
    }

    mutating func removeAll() -> [Element] { removeAll { _ in true } }

    private mutating func grow() {
        var larger: [Element?] = []
        larger.reserveCapacity(slots.count * 2)
        for index in 0..<count { larger.append(slots[slot(index)].take()) }
        larger.append(contentsOf: repeatElement(nil, count: slots.count * 2 - count))
        slots = larger
        head = 0
    }
}

extension Optional {
    fileprivate mutating func mutate<Result>(_ body: (inout Wrapped) -> Result) -> Result? {
        switch consume self {
        case .some(var value):
            let result = body(&value)
            self = .some(value)
            return result
        case .none:
            self = .none
            return nil
        }
    }
}
