internal import HTTPServer
internal import JSON
internal import Postgres

/// `POST /v1/{pack}/batch`: operations over several entities in one transaction, in their order.
extension Gateway {
    func batch(
        _ context: RequestContext, _ pack: ServedPack
    ) async throws(Problem) -> HTTPResponse {
        try requireMethod(context.method, [.post])
        try context.requireParameters()
        let document = try context.json()
        let operations = try BatchPlan(pack: pack, limits: limits, owner: context.caller.owner)
            .plan(document.root) { served, isChange throws(Problem) in
                try requireWritable(served, context.caller, isChange: isChange)
            }
        try requireRoom()
        let results = try await runBatch(operations, context)
        stores.wakeRelay(pack.pack.name)
        var headers = HTTPHeaders.json
        headers.appendToken(
            transaction: results.compactMap(\.transaction).first, configuration)
        return HTTPResponse(
            status: 200, headers: headers, body: .bytes(batchBody(operations, results)))
    }

    private func runBatch(
        _ operations: [BatchPlan.Operation], _ context: RequestContext
    ) async throws(Problem) -> [WriteResult] {
        var attempt = 1
        while true {
            do {
                return try await postgres.withConnection(deadline: context.deadline) { connection in
                    try await connection.transaction {
                        var results: [WriteResult] = []
                        for (index, operation) in operations.enumerated() {
                            results.append(try await run(operation, at: index, context, connection))
                        }
                        return results
                    }
                }
            } catch let problem as Problem {
                throw problem
            } catch let failure as OperationFailure {
                // Asked on another connection, and only now that the batch's own is free again.
                let operation = operations[failure.index]
                throw await explain(
                    failure.error, context, operation.served, body: operation.body,
                    isDelete: operation.kind == .delete
                ).inOperation(failure.index)
            } catch let error as PostgresError {
                guard error.isRetryable, attempt < 3 else { throw Problem(error) }
                attempt += 1
            } catch {
                throw Problem(.internalError)
            }
        }
    }

    private func run(
        _ operation: BatchPlan.Operation, at index: Int, _ context: RequestContext,
        _ connection: PostgresConnection
    ) async throws -> WriteResult {
        do {
            var result: WriteResult
            var attempt = 1
            repeat {
                result = WriteResult(
                    try await connection.query(
                        operation.query.statement, operation.query.parameters))
                attempt += 1
            } while result.outcome == .overtaken && attempt <= WriteResult.attemptCountMax
            try requireDone(result, context)
            return result
        } catch let error as PostgresError where !error.isRetryable {
            throw OperationFailure(index: index, error: error)
        } catch let problem as Problem {
            throw problem.inOperation(index)
        }
    }

    /// The database refused one operation.
    private struct OperationFailure: Error {
        let index: Int
        let error: PostgresError
    }

    private func batchBody(
        _ operations: [BatchPlan.Operation], _ results: [WriteResult]
    ) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("results")
        writer.beginArray()
        for (operation, result) in zip(operations, results) {
            writer.beginObject()
            writer.field("op", operation.kind.rawValue)
            writer.field("entity", operation.served.entity.path)
            writer.field("id", result.key ?? operation.id)
            let isDelete = operation.kind == .delete
            writer.field("status", isDelete ? 204 : result.outcome == .created ? 201 : 200)
            if !isDelete {
                writer.field("etag", result.etag.map { "\"\($0)\"" })
                writer.key("value")
                writer.raw(result.result.bytes(0, WriteResult.Field.body))
            }
            writer.endObject()
        }
        writer.endArray()
        writer.endObject()
        return writer.bytes
    }
}
