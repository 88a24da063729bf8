internal import Runtime

typealias Answer = Result<PostgresResult, PostgresError>

/// One statement on its way through a pipelined connection.
struct Request {
    let statement: Statement
    let parameters: [Parameter]
    let deadline: Deadline
    /// Nil once answered: a late result is then dropped.
    private(set) var caller: UnsafeContinuation<Answer, Never>?
    /// Whose write it is, for group commit.
    let client: String?
    /// It was sent before: a stale plan is not retried again.
    var isSecondAttempt = false

    init(
        _ statement: Statement, _ parameters: [Parameter], _ deadline: Deadline,
        client: String? = nil, caller: UnsafeContinuation<Answer, Never>
    ) {
        self.statement = statement
        self.parameters = parameters
        self.deadline = deadline
        self.client = client
        self.caller = caller
    }

    var isAnswered: Bool { caller == nil }

    mutating func answer(_ answer: Answer) {
        caller.take()?.resume(returning: answer)
    }

    mutating func fail(_ error: PostgresError) { answer(.failure(error)) }
}
