internal import CUV

/// A timer on a loop. It fires until it is cancelled or, without a period, once.
///
/// Created, cancelled and fired on the loop's thread. The loop keeps a running timer alive.
package final class LoopTimer: @unchecked Sendable {
    private let handle: UnsafeMutablePointer<uv_timer_t>
    private let fire: () -> Void
    private var isClosed = false
    private let isRepeating: Bool

    fileprivate init(
        loop: EventLoop, after: Duration, every period: Duration?, fire: @escaping () -> Void
    ) {
        loop.preconditionOnLoop()
        self.fire = fire
        isRepeating = period != nil
        handle = .allocate(capacity: 1)
        uvCheck(uv_timer_init(loop.uv, handle), "uv_timer_init")
        handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
        // libuv counts from its cached time, so late in a long turn a timer would fire early.
        uv_update_time(loop.uv)
        uvCheck(
            uv_timer_start(
                handle, onTimer, after.wholeMilliseconds,
                max(period?.wholeMilliseconds ?? 0, isRepeating ? 1 : 0)),
            "uv_timer_start")
    }

    /// Stops the timer; `fire` is not called again. May be called more than once.
    package func cancel() {
        guard !isClosed else { return }
        isClosed = true
        uv_timer_stop(handle)
        UnsafeMutableRawPointer(handle).withMemoryRebound(to: uv_handle_t.self, capacity: 1) {
            uv_close($0, onTimerClosed)
        }
    }

    fileprivate func fired() {
        if !isRepeating { cancel() }
        fire()
    }
}

extension EventLoop {
    /// Calls `fire` on the loop once, no earlier than `delay` from now (1 ms resolution).
    package func schedule(after delay: Duration, _ fire: @escaping () -> Void) -> LoopTimer {
        LoopTimer(loop: self, after: delay, every: nil, fire: fire)
    }

    /// Calls `fire` on the loop every `period`, first after one period.
    package func schedule(every period: Duration, _ fire: @escaping () -> Void) -> LoopTimer {
        LoopTimer(loop: self, after: period, every: period, fire: fire)
    }

    /// Suspends the calling task on this loop.
    ///
    /// - Throws: `CancellationError` as soon as the task is cancelled.
    package func sleep(for duration: Duration) async throws {
        let sleeper = Sleeper()
        await withTaskCancellationHandler {
            await withUnsafeContinuation { sleeper.start(on: self, duration, $0) }
        } onCancel: {
            submit { sleeper.wake() }
        }
        try Task.checkCancellation()
    }
}

/// One suspended task; woken by its timer or by cancellation, whichever is first.
private final class Sleeper: @unchecked Sendable {
    private var timer: LoopTimer?
    private var continuation: UnsafeContinuation<Void, Never>?
    private var isWoken = false

    func start(on loop: EventLoop, _ delay: Duration, _ caller: UnsafeContinuation<Void, Never>) {
        if isWoken { return caller.resume() }
        continuation = caller
        timer = loop.schedule(after: delay) { self.wake() }
    }

    func wake() {
        isWoken = true
        timer?.cancel()
        timer = nil
        continuation?.resume()
        continuation = nil
    }
}

private func onTimer(_ handle: UnsafeMutablePointer<uv_timer_t>?) {
    guard let context = handle?.pointee.data else { return }
    Unmanaged<LoopTimer>.fromOpaque(context).takeUnretainedValue().fired()
}

private func onTimerClosed(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    guard let handle, let context = handle.pointee.data else { return }
    Unmanaged<LoopTimer>.fromOpaque(context).release()
    UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_timer_t.self).deallocate()
}
