internal import Runtime

typealias Answer = Result<PostgresResult, PostgresError>

/// Who waits for an answer.
enum AnswerTarget {
    case task(UnsafeContinuation<Answer, Never>)
    case callback(@Sendable (Answer) -> Void)
}

/// One statement on its way through a pipelined connection.
struct Request {
    let statement: Statement
    let parameters: [Parameter]
    let deadline: Deadline
    /// Nil once answered: a late result is then dropped.
    private(set) var caller: AnswerTarget?
    /// Whose write it is, for group commit.
    let client: String?
    /// It was sent before: a stale plan is not retried again.
    var isSecondAttempt = false

    init(
        _ statement: Statement, _ parameters: [Parameter], _ deadline: Deadline,
        client: String? = nil, caller: AnswerTarget
    ) {
        self.statement = statement
        self.parameters = parameters
        self.deadline = deadline
        self.client = client
        self.caller = caller
    }

    var isAnswered: Bool { if case .none = caller { true } else { false } }

    mutating func answer(_ answer: Answer) {
        switch caller.take() {
        case .task(let continuation): continuation.resume(returning: answer)
        case .callback(let call): call(answer)
        case .none: break
        }
    }

    mutating func fail(_ error: PostgresError) { answer(.failure(error)) }
}
