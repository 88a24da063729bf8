internal import Runtime

typealias RedisOutcome = Result<[RedisReply], RedisError>

/// Commands of one caller that travel together, and the caller.
///
/// Belongs to the loop of its client.
package final class RedisCall: @unchecked Sendable {
    enum Caller {
        case task(UnsafeContinuation<RedisOutcome, Never>)
        case all(@Sendable (RedisOutcome) -> Void)
        /// Of one command: an error reply is a failure.
        case one(@Sendable (Result<RedisReply, RedisError>) -> Void)
    }

    /// In order; emptied once sent.
    private(set) var commands: [RedisCommand]
    let deadline: Deadline
    private let commandCount: Int
    /// When it was handed to the connection, monotonic; 0 before.
    private(set) var sentAt: UInt64 = 0
    private var script: RedisScript?
    private var replies: [RedisReply] = []
    private var caller: Caller?

    init(_ commands: [RedisCommand], script: RedisScript? = nil, deadline: Deadline) {
        self.commands = commands
        self.script = script
        self.deadline = deadline
        commandCount = commands.count
    }

    var isAnswered: Bool { if case .none = caller { true } else { false } }
    var wasSent: Bool { sentAt != 0 }

    /// Bytes on the wire, but for a few of the headers.
    var byteCount: Int { commands.reduce(0) { $0 + $1.words.count } }

    func wait(_ caller: Caller) { self.caller = caller }

    /// Answers the caller as cancelled unless it was answered; a reply on its way still comes, in
    /// its place. On the loop of the client.
    package func cancel() { answer(.failure(.cancelled(mayHaveBeenApplied: wasSent))) }

    func sent(at nanoseconds: UInt64) {
        sentAt = nanoseconds
        if script == nil { commands = [] }
    }

    /// Takes the reply to its next command; the last one answers the caller.
    ///
    /// - Returns: True if the call must be sent once more: Redis did not know the script.
    func receive(_ reply: RedisReply) -> Bool {
        guard !isAnswered else { return false }
        if let script, case .error(code: "NOSCRIPT") = reply {
            commands = commands.map(script.commandBySource)
            self.script = nil
            sentAt = 0
            return true
        }
        if commandCount == 1 {
            answer(reply)
        } else {
            replies.append(reply)
            if replies.count == commandCount { answer(.success(replies)) }
        }
        return false
    }

    private func answer(_ reply: RedisReply) {
        guard case .one(let completion)? = caller else { return answer(.success([reply])) }
        caller = nil
        completion(reply.result)
    }

    /// Answers the caller; exactly once, later calls do nothing.
    func answer(_ outcome: RedisOutcome) {
        let caller = caller
        self.caller = nil
        switch caller {
        case .task(let continuation): continuation.resume(returning: outcome)
        case .all(let completion): completion(outcome)
        case .one(let completion): completion(outcome.flatMap { $0[0].result })
        case .none: break
        }
    }
}

extension RedisReply {
    /// Of a single command.
    var result: Result<RedisReply, RedisError> {
        if case .error(let code) = self { return .failure(.rejected(code: code)) }
        return .success(self)
    }
}

/// A queue that takes from its front in constant time.
struct RedisCallQueue {
    private var calls: [RedisCall?] = []
    private var head = 0

    var count: Int { calls.count - head }
    var isEmpty: Bool { head == calls.count }
    var first: RedisCall? { isEmpty ? nil : calls[head] }

    mutating func append(_ call: RedisCall) { calls.append(call) }

    mutating func popFirst() -> RedisCall? {
        guard !isEmpty else { return nil }
        let call = calls[head]
        calls[head] = nil
        head += 1
        if head == calls.count {
            calls.removeAll(keepingCapacity: calls.capacity <= 8_192)
            head = 0
        } else if head > 1_024 && head * 2 > calls.count {
            calls.removeFirst(head)
            head = 0
        }
        return call
    }

    mutating func removeAnswered() {
        calls = calls[head...].filter { $0?.isAnswered == false }
        head = 0
    }

    func forEach(_ body: (RedisCall) -> Void) {
        for index in head..<calls.count {
            if let call = calls[index] { body(call) }
        }
    }
}
