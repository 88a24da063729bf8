internal import HTTPServer
internal import Postgres

/// `GET /v1/{pack}/{entity}/{id}`: what to ask the database, and the answer to its answer.
struct ItemRead: Sendable {
    let query: PlannedQuery
    private let served: ServedEntity
    private let id: String
    private let condition: EntityTagCondition

    init(_ context: RequestContext, _ served: ServedEntity, id: String) throws(Problem) {
        try served.requireOwnerType(context.caller.owner)
        try served.requireKeyType(id)
        self.served = served
        self.id = id
        condition = try EntityTagCondition(context.request.headers)
        query = try ItemRead.query(context, served, id: id)
    }

    /// The prepared statement, or one for the columns that `select` names.
    private static func query(
        _ context: RequestContext, _ served: ServedEntity, id: String
    ) throws(Problem) -> PlannedQuery {
        let owner = context.caller.owner
        guard context.request.rawQuery != nil else {
            return served.statements.get(key: id, owner: owner)
        }
        let parsed = try CollectionQuery.parse(context.request.query, entity: served.entity)
        guard parsed.isSelectionOnly else {
            throw Problem(
                .invalidParameter, "One row takes no parameter but select.",
                hint: "Filter the collection instead.")
        }
        return ReadPlans.get(
            key: id, selection: parsed.selection, entity: served.entity, owner: owner)
    }

    /// The path of the row, for problems.
    var location: String { served.location(key: id) }

    func response(_ result: PostgresResult) throws(Problem) -> HTTPResponse {
        guard result.rowCount > 0 else { throw Problem(.notFound) }
        let tag = result.bytes(0, 1)
        if condition.isForReading, condition.isNotModified(String(decoding: tag, as: UTF8.self)) {
            var headers: HTTPHeaders = [:]
            headers.append("ETag", quoted: tag)
            return HTTPResponse(status: 304, headers: headers)
        }
        var headers = HTTPHeaders.json
        headers.append("ETag", quoted: tag)
        return HTTPResponse(
            status: 200, headers: headers,
            body: .foreign(owner: result, bytes: result.bytes(0, 0)))
    }

    /// The response to any answer of the database.
    func response(_ answer: Result<PostgresResult, PostgresError>) -> HTTPResponse {
        do throws(Problem) {
            switch answer {
            case .success(let result): return try response(result)
            case .failure(let error): throw Problem(error, entity: served.entity)
            }
        } catch {
            return error.response(instance: location)
        }
    }
}
