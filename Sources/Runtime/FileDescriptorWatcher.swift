internal import CUV

/// Watches a file descriptor that a C library owns (libpq, hiredis, libcurl).
///
/// The library may close the descriptor on failure: call ``close()`` in the same callback, before
/// the loop polls again, or a reused descriptor would be watched by mistake.
package final class FileDescriptorWatcher: @unchecked Sendable {
    /// What to wait for, and what happened.
    package struct Events: OptionSet, Sendable {
        package let rawValue: CInt
        package init(rawValue: CInt) { self.rawValue = rawValue }
        package static let readable = Events(rawValue: CInt(UV_READABLE.rawValue))
        package static let writable = Events(rawValue: CInt(UV_WRITABLE.rawValue))
    }

    private let handle: UnsafeMutablePointer<uv_poll_t>
    private let happened: (Events) -> Void
    private var watched: Events = []
    private var isClosed = false

    /// - Parameter happened: Called on the loop. An error of the descriptor is reported as readable
    ///   and writable: the owner's next read or write finds it.
    package init(
        loop: EventLoop, fileDescriptor: CInt, happened: @escaping (Events) -> Void
    ) {
        loop.preconditionOnLoop()
        self.happened = happened
        handle = .allocate(capacity: 1)
        uvCheck(uv_poll_init(loop.uv, handle, fileDescriptor), "uv_poll_init")
        handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
    }

    /// Replaces the set of watched events. Nothing is called when the set stays the same.
    package func watch(_ events: Events) {
        guard !isClosed, events != watched else { return }
        watched = events
        if events.isEmpty {
            uv_poll_stop(handle)
        } else {
            uvCheck(uv_poll_start(handle, events.rawValue, onPoll), "uv_poll_start")
        }
    }

    /// Stops watching for good. The descriptor itself stays open.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        uv_poll_stop(handle)
        UnsafeMutableRawPointer(handle).withMemoryRebound(to: uv_handle_t.self, capacity: 1) {
            uv_close($0, onPollClosed)
        }
    }

    fileprivate func report(_ status: CInt, _ events: CInt) {
        guard !isClosed else { return }
        happened(status < 0 ? [.readable, .writable] : Events(rawValue: events))
    }
}

private func onPoll(_ handle: UnsafeMutablePointer<uv_poll_t>?, _ status: CInt, _ events: CInt) {
    guard let context = handle?.pointee.data else { return }
    Unmanaged<FileDescriptorWatcher>.fromOpaque(context).takeUnretainedValue()
        .report(status, events)
}

private func onPollClosed(_ handle: UnsafeMutablePointer<uv_handle_t>?) {
    guard let handle, let context = handle.pointee.data else { return }
    Unmanaged<FileDescriptorWatcher>.fromOpaque(context).release()
    UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_poll_t.self).deallocate()
}
