internal import Runtime

/// Runs the asynchronous part of a command on a loop of its own, on the main thread.
func runOnLoop(
    _ body: @escaping @Sendable (EventLoop) async -> Fourfold.ExitCode
) -> Fourfold.ExitCode {
    let loop = EventLoop()
    let outcome = Lock(Fourfold.ExitCode.failed)
    loop.spawn {
        let code = await body(loop)
        outcome.withLock { $0 = code }
        loop.stop()
    }
    loop.run()
    return outcome.withLock { $0 }
}
