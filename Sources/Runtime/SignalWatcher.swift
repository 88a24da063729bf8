internal import CUV

/// Calls back on a loop when the process receives a signal. Lives as long as the process.
package final class SignalWatcher: @unchecked Sendable {
    private let handle: UnsafeMutablePointer<uv_signal_t>
    private let received: (CInt) -> Void

    /// - Parameter numbers: Signals, e.g. `SIGTERM`. One watcher is kept for each.
    @discardableResult
    package static func watch(
        _ numbers: [CInt], on loop: EventLoop, _ received: @escaping (CInt) -> Void
    ) -> [SignalWatcher] {
        numbers.map { SignalWatcher(loop, $0, received) }
    }

    private init(_ loop: EventLoop, _ number: CInt, _ received: @escaping (CInt) -> Void) {
        self.received = received
        handle = .allocate(capacity: 1)
        uvCheck(uv_signal_init(loop.uv, handle), "uv_signal_init")
        handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
        uvCheck(uv_signal_start(handle, onSignal, number), "uv_signal_start")
    }

    fileprivate func fired(_ number: CInt) { received(number) }
}

private func onSignal(_ handle: UnsafeMutablePointer<uv_signal_t>?, _ number: CInt) {
    guard let context = handle?.pointee.data else { return }
    Unmanaged<SignalWatcher>.fromOpaque(context).takeUnretainedValue().fired(number)
}
