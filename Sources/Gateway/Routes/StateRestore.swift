internal import HTTPServer
internal import JSON
internal import Live
internal import Postgres
internal import Redis
internal import Runtime

/// Reads of a state whose history PostgreSQL keeps, where Redis has lost it or is away.
extension Gateway {
    /// The newest value of the history, put back into Redis.
    ///
    /// - Parameter isDegraded: Redis is away: nothing is put back, and the answer says so.
    func restored(
        _ request: StateRequest, isDegraded: Bool
    ) async throws(Problem) -> HTTPResponse {
        let marks = isDegraded ? [("Fourfold-Degraded", "redis")] : []
        guard let text = try await newest(request) else {
            var problem = Problem.noState
            problem.headers = marks.map { Problem.Header($0.0, $0.1) }
            throw problem
        }
        if isDegraded {
            let value = StateValue(json: text, tag: StateTag.make(text))
            return request.response(value, headers: marks)
        }
        let reply: RedisReply
        do throws(RedisError) {
            reply = try await stores.redis.run(
                HistoryScripts.restore,
                keys: [.text(request.key), .text(StateHistoryKeys.deleted(request.key))],
                arguments: [
                    .bytes(text), .number(Int64(request.state.limits.valueByteCountMax)),
                ], deadline: request.deadline)
        } catch {
            // It can be read although it cannot be put back, e.g. because Redis is full.
            let value = StateValue(json: text, tag: StateTag.make(text))
            return request.response(value, headers: [("Fourfold-Degraded", "redis")])
        }
        guard let response = try request.response(.success(reply)) else { throw .noState }
        return response
    }

    private func newest(_ request: StateRequest) async throws(Problem) -> [UInt8]? {
        guard let sql = request.state.history else { return nil }
        do throws(PostgresError) {
            let result = try await postgres.query(
                sql.restore,
                [
                    .text(request.state.entity.pack), .text(request.state.rule.name),
                    .text(request.id),
                ], deadline: request.deadline)
            guard result.rowCount > 0 else { return nil }
            let document = try? JSONDocument.parse(Array(result.bytes(0, 0)))
            return document?.root.serialized()
        } catch {
            throw Problem(error)
        }
    }
}

extension RedisError {
    /// Redis as a whole is away, not this one value unreadable.
    var isAbsence: Bool {
        switch self {
        case .unreachable, .unauthorized, .timedOut, .connectionLost, .overloaded, .cancelled:
            true
        case .rejected(let code): code != "WRONGTYPE"
        default: false
        }
    }
}
