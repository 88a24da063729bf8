internal import CUV
internal import Glibc

/// A thread that runs one loop.
package final class LoopThread: @unchecked Sendable {
    package let loop: EventLoop
    private let name: String
    private var thread = pthread_t()

    init(loop: EventLoop, name: String) {
        self.loop = loop
        self.name = name
        let context = Unmanaged.passRetained(self).toOpaque()
        let status = pthread_create(&thread, nil, runLoopThread, context)
        precondition(status == 0, "pthread_create failed")
    }

    /// Waits until the loop was stopped and its thread has ended.
    package func join() { pthread_join(thread, nil) }

    fileprivate func run() {
        uv_thread_setname(name)
        loop.run()
    }
}

private func runLoopThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    Unmanaged<LoopThread>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
