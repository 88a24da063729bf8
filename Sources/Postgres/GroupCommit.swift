/// How writes are put together into transactions, and what becomes of those that failed.
struct GroupCommit {
    /// What to do with one request of a transaction that did not commit.
    enum Disposition: Equatable {
        /// Its error is its answer.
        case answer
        /// It runs again as a transaction of its own on a write connection.
        case repeatAlone
        /// It runs again on an exclusive connection, without the time limits of a batch.
        case repeatExclusively
    }

    private let countMax: Int
    private let durationMax: UInt64
    private let suspectDuration: UInt64
    private let suspectCountMax: Int

    /// Requests in the next transaction: halved by a failure, one more with each success.
    private(set) var batchCountMax: Int
    /// Clients whose writes failed lately, and until when they commit alone.
    private var suspects: [String: UInt64] = [:]

    init(_ limits: PostgresLimits) {
        countMax = max(1, limits.batchCountMax)
        batchCountMax = countMax
        durationMax = limits.batchDurationMax.wholeNanoseconds
        suspectDuration = limits.suspectDuration.wholeNanoseconds
        suspectCountMax = limits.suspectCountMax
    }

    mutating func batchCommitted(nanoseconds duration: UInt64) {
        if duration > durationMax {
            shrink()
        } else if batchCountMax < countMax {
            batchCountMax += 1
        }
    }

    mutating func batchFailed() { shrink() }

    private mutating func shrink() { batchCountMax = max(1, batchCountMax / 2) }

    /// Notes that a write of `client` failed by itself.
    mutating func clientFailed(_ client: String?, now: UInt64) {
        guard let client else { return }
        if suspects.count >= suspectCountMax {
            suspects = suspects.filter { $0.value > now }
            if suspects.count >= suspectCountMax { return }
        }
        suspects[client] = now + suspectDuration
    }

    /// Whether the next write of `client` commits alone.
    mutating func isSuspect(_ client: String?, now: UInt64) -> Bool {
        guard !suspects.isEmpty, let client, let until = suspects[client] else { return false }
        if until > now { return true }
        suspects[client] = nil
        return false
    }

    /// What to do with a request whose transaction failed.
    ///
    /// - Parameters:
    ///   - error: The error of this very request; nil if another one made the transaction fail.
    ///   - wasAlone: It was the only one in its transaction.
    ///   - isSecondAttempt: It has already been repeated alone because of a stale plan.
    static func disposition(
        error: ServerError?, wasAlone: Bool, isSecondAttempt: Bool
    ) -> Disposition {
        guard let error else { return wasAlone ? .answer : .repeatAlone }
        if error.isLockTimeout || error.isQueryCanceled || error.isRetryable {
            return .repeatExclusively
        }
        if !wasAlone { return .repeatAlone }
        return error.isStalePlan && !isSecondAttempt ? .repeatAlone : .answer
    }
}
