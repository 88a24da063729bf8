/// Why a store did not answer a read.
package enum StoreReadError: Error, Sendable {
    /// Out of reach, or its breaker is open.
    case unavailable(retryAfter: Duration?)
    case timedOut
    case cancelled
    case overloaded
    /// It answered with an error; the code is stable and safe for a log.
    case rejected(code: String)
}
