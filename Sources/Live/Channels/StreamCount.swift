internal import Runtime

/// The open streams of a process, counted against a bound. Any thread.
package final class StreamCount: Sendable {
    private let count = Lock(0)
    private let countMax: Int

    package init(max countMax: Int) { self.countMax = countMax }

    package var value: Int { count.withLock { $0 } }

    /// - Returns: False if there are as many as may be; else ``end()`` must follow once.
    func begin() -> Bool {
        count.withLock { count in
            if count >= countMax { return false }
            count += 1
            return true
        }
    }

    func end() { count.withLock { $0 -= 1 } }
}
