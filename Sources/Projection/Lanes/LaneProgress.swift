internal import Runtime

/// Tells waiters on any loop that a lane has moved. Any thread.
package final class LaneProgress: Sendable {
    private struct Waiter: Sendable {
        let loop: EventLoop
        let wakeup: Wakeup
    }

    private let waiters = Lock([ObjectIdentifier: Waiter]())

    package init() {}

    func add(_ wakeup: Wakeup, on loop: EventLoop) {
        waiters.withLock { $0[ObjectIdentifier(wakeup)] = Waiter(loop: loop, wakeup: wakeup) }
    }

    func remove(_ wakeup: Wakeup) {
        waiters.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(wakeup)) }
    }

    func signal() {
        let waiting = waiters.withLock { Array($0.values) }
        for waiter in waiting { waiter.loop.submit { waiter.wakeup.signal() } }
    }
}
