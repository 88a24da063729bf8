internal import Glibc
package import Runtime

/// Runs `body` on a loop of its own and waits for it.
package func onLoop<Result: Sendable>(
    _ body: @escaping @Sendable (EventLoop) async -> Result
) async -> Result {
    let loop = EventLoop()
    let thread = loop.startThread(name: "test")
    let result = await withCheckedContinuation { continuation in
        loop.spawn { continuation.resume(returning: await body(loop)) }
    }
    loop.stop()
    thread.join()
    return result
}

/// The value of an environment variable; nil when unset or empty.
package func environment(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
}

/// A real store's URL is missing: tests against it fail, they are never skipped.
package struct MissingStore: Error, CustomStringConvertible {
    package let description: String
}

/// The URL of a real store from the environment.
package func storeURL(_ name: String) throws -> String {
    guard let url = environment(name) else {
        throw MissingStore(
            description: "\(name) is not set; scripts/test starts the stores and sets it")
    }
    return url
}
