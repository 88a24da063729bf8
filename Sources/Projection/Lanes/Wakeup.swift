internal import Runtime

/// Lets one task of a loop wait for a time or a signal. A signal while nobody waits is kept.
final class Wakeup: @unchecked Sendable {
    private let loop: EventLoop
    private var isSignalled = false
    private var timer: LoopTimer?
    private var waiter: UnsafeContinuation<Void, Never>?

    init(loop: EventLoop) { self.loop = loop }

    /// Returns after `duration`, or at once when signalled. True if it was a signal.
    func wait(for duration: Duration) async -> Bool {
        loop.preconditionOnLoop()
        precondition(waiter == nil, "two tasks wait for one wakeup")
        if !isSignalled {
            await withUnsafeContinuation { continuation in
                waiter = continuation
                timer = loop.schedule(after: duration) { [self] in resume() }
            }
        }
        defer { isSignalled = false }
        return isSignalled
    }

    /// On the loop.
    func signal() {
        loop.preconditionOnLoop()
        isSignalled = true
        resume()
    }

    private func resume() {
        timer?.cancel()
        timer = nil
        waiter.take()?.resume()
    }
}
