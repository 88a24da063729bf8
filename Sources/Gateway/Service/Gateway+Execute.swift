internal import HTTPServer
internal import Postgres
internal import Runtime

/// The only place where entity routes touch PostgreSQL.
extension Gateway {
    /// Runs a bounded point statement.
    func read(
        _ query: PlannedQuery, _ context: RequestContext, _ served: ServedEntity
    ) async throws(Problem) -> PostgresResult {
        do throws(PostgresError) {
            return try await postgres.query(
                query.statement, query.parameters, deadline: context.deadline)
        } catch {
            throw Problem(error, entity: served.entity)
        }
    }

    /// Runs a write of one row durably and wakes the relay.
    func write(
        _ query: PlannedQuery, _ context: RequestContext, _ served: ServedEntity,
        isDelete: Bool = false
    ) async throws(Problem) -> WriteResult {
        try requireRoom()
        do throws(PostgresError) {
            for _ in 1..<WriteResult.attemptCountMax {
                let result = try await writeOnce(query, context, served)
                if result.outcome != .overtaken { return result }
            }
            return try await writeOnce(query, context, served)
        } catch {
            throw await explain(
                error, context, served, body: context.request.body, isDelete: isDelete)
        }
    }

    private func writeOnce(
        _ query: PlannedQuery, _ context: RequestContext, _ served: ServedEntity
    ) async throws(PostgresError) -> WriteResult {
        let result = try await postgres.write(
            query.statement, query.parameters, deadline: context.deadline,
            client: context.clientName)
        stores.wakeRelay(served.pack)
        return WriteResult(result)
    }

    /// Runs a write of many rows alone on a connection, durably, and wakes the relay.
    func bulkWrite(
        _ query: PlannedQuery, _ context: RequestContext, _ served: ServedEntity,
        isDelete: Bool = false
    ) async throws(Problem) -> PostgresResult {
        try requireRoom()
        do {
            let result = try await postgres.withConnection(deadline: context.deadline) {
                try await $0.retrying(query)
            }
            stores.wakeRelay(served.pack)
            return result
        } catch let error as PostgresError {
            throw await explain(
                error, context, served, body: context.request.body, isDelete: isDelete)
        } catch {
            throw Problem(.internalError)
        }
    }

    /// A problem that names the fields, where the database refused values.
    func explain(
        _ error: PostgresError, _ context: RequestContext, _ served: ServedEntity, body: [UInt8],
        isDelete: Bool
    ) async -> Problem {
        let problem = Problem(error, entity: served.entity, isDelete: isDelete)
        guard let state = error.serverError?.sqlState, state.hasPrefix("22"),
            !body.isEmpty
        else { return problem }
        let plan = InvalidFieldsPlan(entity: served.entity)
        let query = plan.query(body: body)
        let found = try? await postgres.withConnection(deadline: context.deadline) {
            try await $0.query(query.statement, query.parameters)
        }
        return found.flatMap(plan.problem) ?? problem
    }

    /// Runs `body` alone on a connection, cancelled at the request's deadline.
    func exclusively<Result>(
        _ context: RequestContext, entity: ServedEntity? = nil,
        _ body: (PostgresConnection) async throws -> Result
    ) async throws(Problem) -> Result {
        do {
            return try await postgres.withConnection(deadline: context.deadline, body)
        } catch let problem as Problem {
            throw problem
        } catch let error as PostgresError {
            throw Problem(error, entity: entity?.entity)
        } catch {
            throw Problem(.internalError)
        }
    }
}

extension PostgresConnection {
    /// Attempts at a statement that the server rolls back because of concurrency.
    private static let attemptCountMax = 3

    /// Runs one statement, again where the server says that it may succeed then.
    func retrying(_ query: PlannedQuery) async throws(PostgresError) -> PostgresResult {
        var attempt = 1
        while true {
            do throws(PostgresError) {
                return try await self.query(query.statement, query.parameters)
            } catch {
                guard error.isRetryable, attempt < PostgresConnection.attemptCountMax else {
                    throw error
                }
                attempt += 1
            }
        }
    }
}

extension HTTPHeaders {
    static let json: HTTPHeaders = ["Content-Type": "application/json"]

    /// The token of the write; see ``ConsistencyToken``.
    mutating func appendToken(_ result: WriteResult, _ configuration: GatewayConfiguration) {
        appendToken(transaction: result.transaction, configuration)
    }

    mutating func appendToken(transaction: String?, _ configuration: GatewayConfiguration) {
        guard let xid = transaction.flatMap({ UInt64($0) }) else { return }
        append(
            "Fourfold-Token", ConsistencyToken(xid: xid, origin: configuration.tokenOrigin).text)
    }
}
