internal import HTTPServer
internal import JSON
internal import Live
internal import Packs
internal import Redis
internal import Runtime

/// One request to a state: what to ask Redis, and the answer to its answer.
struct StateRequest: Sendable {
    enum Operation: Sendable {
        case read
        /// A script with its arguments, and the value that it stores where that is known.
        case write(RedisScript, [RedisArgument], StateValue?)
        case delete([RedisArgument])
    }

    let state: ServedState
    /// In the form of keys.
    let id: String
    let key: String
    let operation: Operation
    let deadline: Deadline
    private let condition: EntityTagCondition
    private let isMinimal: Bool

    init(_ context: RequestContext, _ state: ServedState, id: String) throws(Problem) {
        self.state = state
        self.id = try state.canonical(id)
        key = state.rule.key.filled([self.id])
        deadline = context.deadline
        isMinimal = context.preferences.returning == .minimal
        guard state.allowedMethods.contains(context.method.rawValue) else {
            throw .methodNotAllowed(allowed: state.allowedMethods)
        }
        try context.requireParameters()
        condition = try EntityTagCondition(context.request.headers)
        switch context.method {
        case .get, .head: operation = .read
        case .put, .post:
            let body = try StateBody(context, state)
            operation = try body.operation(
                isChange: context.method == .post, condition: StateRequest.text(condition),
                id: self.id)
        case .delete:
            operation = .delete([.text(try StateRequest.text(condition)), .text(self.id)])
        case .patch, .options, .other: throw .methodNotAllowed(allowed: state.allowedMethods)
        }
    }

    /// Its path.
    var location: String { state.location(id: id) }

    var isRead: Bool { if case .read = operation { true } else { false } }

    private static func text(_ condition: EntityTagCondition) throws(Problem) -> String {
        try condition.requireNoneMatchUnused(butAny: true)
        try condition.requireConsistent()
        if condition.mustNotExist { return StateCondition.mustNotExist }
        if condition.mustExist { return StateCondition.mustExist }
        return condition.matching.map(StateCondition.oneOf) ?? StateCondition.none
    }

    /// Asks Redis. On the loop of `redis`.
    func send(
        to redis: RedisClient, deadline: Deadline,
        completion: @escaping @Sendable (Result<RedisReply, RedisError>) -> Void
    ) {
        switch operation {
        case .read: read(from: redis, deadline, completion)
        case .write(let script, let arguments, _):
            var keys = historyKeys
            if let channel = state.rule.channel { keys.append(.text(channel.filled([id]))) }
            redis.run(
                script, keys: keys, arguments: arguments, deadline: deadline,
                completion: completion)
        case .delete(let arguments):
            redis.run(
                state.scripts.delete, keys: historyKeys, arguments: arguments, deadline: deadline,
                completion: completion)
        }
    }

    /// Commands where they will do: cheaper than a script, and one round trip on a Redis that does
    /// not know the script yet.
    private func read(
        from redis: RedisClient, _ deadline: Deadline,
        _ completion: @escaping @Sendable (Result<RedisReply, RedisError>) -> Void
    ) {
        let readAtomically: @Sendable () -> Void = { [state, key] in
            redis.run(
                state.scripts.read, keys: [.text(key)], deadline: deadline, completion: completion)
        }
        if case .list = state.rule.kind { return readAtomically() }
        // A byte beyond the bound tells that there is too much.
        let byteCountMax = state.limits.valueByteCountMax
        var commands = [RedisCommand(["GETRANGE", key, "0", String(byteCountMax)])]
        // What is not there is looked for in PostgreSQL within the same patience, so one round trip
        // has to tell; elsewhere it may take two, which spares all others a command.
        if state.stream != nil { commands.append(RedisCommand(["EXISTS", key])) }
        redis.pipeline(commands, deadline: deadline) { outcome in
            switch outcome {
            case .failure(let error): completion(.failure(error))
            case .success(let replies):
                switch (replies[0], replies.last) {
                case (.error(let code), _): completion(.failure(.rejected(code: code)))
                case (.bytes([]), .integer(0)): completion(.success(.null))
                // Empty, or not there, or written between the two.
                case (.bytes([]), _): readAtomically()
                case (.bytes(let bytes), _) where bytes.count > byteCountMax:
                    completion(.success(.array([.status(StateScripts.tooLarge)])))
                default: completion(.success(replies[0]))
                }
            }
        }
    }

    private var historyKeys: [RedisArgument] {
        guard let stream = state.stream else { return [.text(key)] }
        return [.text(key), .text(stream), .text(StateHistoryKeys.deleted(key))]
    }

    // MARK: Answers

    /// The whole answer to what Redis answered.
    func answer(_ reply: Result<RedisReply, RedisError>) -> HTTPResponse {
        do throws(Problem) {
            guard let response = try response(reply) else { throw Problem.noState }
            return response
        } catch {
            return error.response(instance: location)
        }
    }

    /// - Returns: nil where nothing is there: what to do then depends on the history.
    func response(_ reply: Result<RedisReply, RedisError>) throws(Problem) -> HTTPResponse? {
        let reply = try get(reply)
        if case .array(let parts) = reply, case .status(let code)? = parts.first {
            throw refusal(code, parts)
        }
        switch operation {
        case .read:
            guard let value = try value(reply) else { return nil }
            return response(value)
        case .write(_, _, let value):
            guard let value else {
                // Lists and counters: what the script answers is what a read would.
                guard let value = try self.value(reply) else { throw Problem(.internalError) }
                return response(value)
            }
            return response(value)
        case .delete: return HTTPResponse(status: 204)
        }
    }

    private func get(_ reply: Result<RedisReply, RedisError>) throws(Problem) -> RedisReply {
        do throws(RedisError) {
            return try reply.get()
        } catch {
            throw Problem(error, isRead: isRead)
        }
    }

    private func value(_ reply: RedisReply) throws(Problem) -> StateValue? {
        do throws(StateValue.Unreadable) {
            return try StateValue.read(reply, state.rule, state.limits)
        } catch {
            throw .unreadableState
        }
    }

    /// The answer with a value that is there.
    func response(_ value: StateValue, headers more: [(String, String)] = []) -> HTTPResponse {
        var headers = HTTPHeaders.json
        var isKnown = false
        if let tag = value.tag {
            tag.withUnsafeBytes { headers.append("ETag", quoted: $0) }
            isKnown = isRead && condition.isForReading
                && condition.isNotModified(String(decoding: tag, as: UTF8.self))
        }
        for (name, value) in more { headers.append(name, value) }
        if isKnown { return HTTPResponse(status: 304, headers: headers) }
        if isMinimal && !isRead { return HTTPResponse(status: 204, headers: headers) }
        return HTTPResponse(status: 200, headers: headers, body: .bytes(value.json))
    }

    private func refusal(_ code: String, _ parts: [RedisReply]) -> Problem {
        switch code {
        case StateScripts.precondition:
            let tag = parts.count > 1 ? parts[1].string ?? "" : ""
            return .preconditionFailed(etag: tag.isEmpty ? nil : tag)
        case StateScripts.historyFull:
            return .unavailable(
                .historyFull, "More writes wait for PostgreSQL than the configured bound.",
                hint: "Nothing was done. Repeat the request later.", retryAfter: .seconds(2))
        case StateScripts.belowLeast:
            return Problem(.domainRule, "The counter would fall below its least value.")
        case StateScripts.outOfRange:
            return Problem(
                .domainRule, "The counter would leave the range of exact numbers, ±(2^53-1).")
        case StateScripts.unreadable: return .unreadableState
        case StateScripts.tooLarge:
            var problem = Problem.unreadableState
            problem.detail = "What Redis holds is too large for a value of this kind."
            return problem
        default: return Problem(.internalError)
        }
    }
}

extension Problem {
    static let unreadableState = Problem(
        .stateUnreadable, "What Redis holds is no value of this kind.",
        hint: "Another client stored it: PUT or DELETE the state, or mend the key.")
}
