internal import Runtime

typealias RedisOutcome = Result<[RedisReply], RedisError>

/// Commands of one caller that travel together, and the caller.
///
/// Belongs to the loop of its client.
final class RedisCall: @unchecked Sendable {
    /// One wire form a command, in order.
    let commands: [[UInt8]]
    let deadline: Deadline
    /// When it was handed to the connection, monotonic; 0 before.
    var sentAt: UInt64 = 0
    private var replies: [RedisReply] = []
    private var caller: UnsafeContinuation<RedisOutcome, Never>?

    init(_ commands: [[UInt8]], deadline: Deadline) {
        self.commands = commands
        self.deadline = deadline
    }

    var isAnswered: Bool { caller == nil }
    var wasSent: Bool { sentAt != 0 }

    func wait(_ caller: UnsafeContinuation<RedisOutcome, Never>) { self.caller = caller }

    /// Takes the reply to its next command; the last one answers the caller.
    func receive(_ reply: RedisReply) {
        guard !isAnswered else { return }
        replies.append(reply)
        if replies.count == commands.count { answer(.success(replies)) }
    }

    /// Answers the caller; exactly once, later calls do nothing.
    func answer(_ outcome: RedisOutcome) {
        caller?.resume(returning: outcome)
        caller = nil
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
            calls.removeAll(keepingCapacity: true)
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
