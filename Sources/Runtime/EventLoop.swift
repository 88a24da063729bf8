package import CUV
internal import Glibc

/// Something that collects output during a turn of the loop and sends it once before the poll.
package protocol Flushable: AnyObject {
    /// Sends what was collected. Called on the loop, once for each ``EventLoop/flushSoon(_:)``.
    func flush()
}

/// One libuv loop on one thread, and the executor of every task that was started on it.
///
/// A turn is: I/O callbacks and timers, then all jobs that became ready, then one flush of every
/// dirty connection, then the poll. Jobs run in bounded rounds, so that a job which enqueues itself
/// cannot starve I/O.
///
/// Everything except ``submit(_:)`` and ``spawn(_:)`` must be called on the loop's own thread.
/// Objects that belong to a loop are classes marked `@unchecked Sendable` which call
/// ``preconditionOnLoop()`` where work enters them.
package final class EventLoop: TaskExecutor, @unchecked Sendable {
    /// Rounds of ready jobs in one turn before I/O gets its turn again.
    private static let jobRoundsMax = 4

    package let uv: UnsafeMutablePointer<uv_loop_t>
    private let wakeup: UnsafeMutablePointer<uv_async_t>
    private let beforePoll: UnsafeMutablePointer<uv_prepare_t>
    private let workLeft: UnsafeMutablePointer<uv_idle_t>

    private let remote = Lock(RemoteWork())
    private var thread: pthread_t?
    private var ready: [UnownedJob] = []
    private var running: [UnownedJob] = []
    private var dirty: [any Flushable] = []
    private var flushing: [any Flushable] = []
    private var isStopping = false

    private struct RemoteWork {
        var jobs: [UnownedJob] = []
        var calls: [@Sendable () -> Void] = []
        var isWakeupPending = false

        /// True if the loop must be woken for the work just added.
        mutating func markWakeup() -> Bool {
            if isWakeupPending { return false }
            isWakeupPending = true
            return true
        }
    }

    package init() {
        uv = .allocate(capacity: 1)
        wakeup = .allocate(capacity: 1)
        beforePoll = .allocate(capacity: 1)
        workLeft = .allocate(capacity: 1)
        uvCheck(uv_loop_init(uv), "uv_loop_init")
        let context = Unmanaged.passUnretained(self).toOpaque()
        uvCheck(uv_async_init(uv, wakeup, onWakeup), "uv_async_init")
        wakeup.pointee.data = context
        uvCheck(uv_prepare_init(uv, beforePoll), "uv_prepare_init")
        beforePoll.pointee.data = context
        uvCheck(uv_prepare_start(beforePoll, onBeforePoll), "uv_prepare_start")
        uvCheck(uv_idle_init(uv, workLeft), "uv_idle_init")
    }

    /// Runs the loop on the calling thread until ``stop()``. Called once.
    package func run() {
        thread = pthread_self()
        uv_run(uv, UV_RUN_DEFAULT)
        thread = nil
    }

    /// Ends ``run()`` after the current turn. Any thread.
    package func stop() {
        submit { [self] in
            isStopping = true
            uv_stop(uv)
        }
    }

    /// Starts a thread named `name` that runs this loop.
    package func startThread(name: String) -> LoopThread { LoopThread(loop: self, name: name) }

    /// Whether the caller is on this loop's thread.
    package var isCurrent: Bool {
        guard let thread else { return false }
        return pthread_equal(thread, pthread_self()) != 0
    }

    package func preconditionOnLoop() {
        precondition(isCurrent, "called from outside the loop that owns this object")
    }

    /// Milliseconds of the loop's own clock, fixed during a turn.
    package var nowMilliseconds: UInt64 { uv_now(uv) }

    // MARK: Work

    /// Runs `call` on the loop, in the next round. Any thread.
    package func submit(_ call: @escaping @Sendable () -> Void) {
        let mustWake = remote.withLock { work in
            work.calls.append(call)
            return work.markWakeup()
        }
        if mustWake { uv_async_send(wakeup) }
    }

    /// Starts a task that runs on this loop and never leaves it, unless it awaits an actor
    /// elsewhere. Any thread. Child tasks inherit the loop; a plain `Task {}` does not.
    @discardableResult
    package func spawn(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task(executorPreference: self, operation: body)
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let unowned = UnownedJob(job)
        if isCurrent {
            ready.append(unowned)
            return
        }
        let mustWake = remote.withLock { work in
            work.jobs.append(unowned)
            return work.markWakeup()
        }
        if mustWake { uv_async_send(wakeup) }
    }

    /// Asks for one `flush()` of `connection` before the next poll.
    ///
    /// The caller keeps its own "is dirty" flag, so that a connection is listed once a turn.
    package func flushSoon(_ connection: any Flushable) {
        dirty.append(connection)
    }

    /// Lets other ready work of the loop run. (`Task.yield` travels through the global executor and
    /// costs 21 us.)
    package func yield() async {
        await withUnsafeContinuation { continuation in
            submit { continuation.resume() }
        }
    }

    // MARK: The turn

    fileprivate func takeRemoteWork() {
        let work = remote.withLock { work in
            let taken = work
            work = RemoteWork()
            return taken
        }
        ready.append(contentsOf: work.jobs)
        for call in work.calls { call() }
    }

    fileprivate func runReadyJobs() {
        var round = 0
        while !ready.isEmpty && round < EventLoop.jobRoundsMax {
            swap(&ready, &running)
            let executor = asUnownedTaskExecutor()
            for job in running { job.runSynchronously(on: executor) }
            running.removeAll(keepingCapacity: true)
            round += 1
        }
        swap(&dirty, &flushing)
        for connection in flushing { connection.flush() }
        flushing.removeAll(keepingCapacity: true)
        // A flush may have made jobs ready (a send that failed): do not sleep on them.
        if ready.isEmpty && dirty.isEmpty {
            uv_idle_stop(workLeft)
        } else {
            uv_idle_start(workLeft, onIdle)
        }
    }
}

private func onWakeup(_ handle: UnsafeMutablePointer<uv_async_t>?) {
    loop(of: handle?.pointee.data).takeRemoteWork()
}

private func onBeforePoll(_ handle: UnsafeMutablePointer<uv_prepare_t>?) {
    loop(of: handle?.pointee.data).runReadyJobs()
}

private func onIdle(_ handle: UnsafeMutablePointer<uv_idle_t>?) {}

private func loop(of context: UnsafeMutableRawPointer?) -> EventLoop {
    guard let context else { preconditionFailure("a libuv handle lost its loop") }
    return Unmanaged<EventLoop>.fromOpaque(context).takeUnretainedValue()
}

/// Stops the process if libuv could not set up a handle: only out of memory or descriptors.
package func uvCheck(_ status: CInt, _ operation: StaticString) {
    precondition(status >= 0, "\(operation) failed: \(String(cString: uv_strerror(status)))")
}
