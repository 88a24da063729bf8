internal import HTTPServer
internal import JSON
internal import Live
internal import Postgres

/// Sessions: their rows in PostgreSQL are the truth, Redis holds a copy of each.
extension Gateway {
    /// `POST /v1/{pack}/{sessions}`
    func openSession(
        _ context: RequestContext, _ sessions: ServedSessions
    ) async throws(Problem) -> HTTPResponse {
        try requireMethod(context.method, [.post])
        try context.requireParameters()
        try sessions.served.requireOwnerType(context.caller.owner)
        let document = try context.json()
        guard document.root.kind == .object else {
            throw Problem(.invalidBody, "The body must be an object.")
        }
        _ = try BodyCheck(
            entity: sessions.served.entity, purpose: .create, owner: context.caller.owner
        ).check(document.root)
        let address = clientAddress(context.request)?.text
        let result = try await writeSession(
            context, sessions, sessions.sql.create,
            [
                .bytes(context.request.body), parameter(context.caller.owner), parameter(address),
            ])
        guard let row = SessionRow(result) else { throw Problem(.internalError) }
        var headers = HTTPHeaders.json
        headers.append("Location", sessions.served.location(key: row.key))
        let outcome = await copies(sessions).keep(row, isChanged: true, deadline: context.deadline)
        if outcome == .unavailable || outcome == .refused {
            await noteRepair(context, sessions, row)
            headers.appendDegraded()
        }
        if context.preferences.returning == .minimal {
            return HTTPResponse(status: 201, headers: headers)
        }
        return HTTPResponse(
            status: 201, headers: headers, body: .foreign(owner: row.result, bytes: row.body))
    }

    /// `/v1/{pack}/{sessions}/{id}`
    func session(
        _ context: RequestContext, _ sessions: ServedSessions, id: String
    ) async throws(Problem) -> HTTPResponse {
        try requireMethod(context.method, [.get, .head, .delete])
        try context.requireParameters()
        try sessions.served.requireOwnerType(context.caller.owner)
        try sessions.served.requireKeyType(id)
        if context.method == .delete { return try await revokeSession(context, sessions, id: id) }
        return try await readSession(context, sessions, id: id)
    }

    /// `/v1/{pack}/{owner's entity}/{id}/{sessions}`
    func ownedSessions(
        _ context: RequestContext, _ sessions: ServedSessions, owner: String
    ) async throws(Problem) -> HTTPResponse {
        try requireMethod(context.method, [.get, .head, .delete])
        try sessions.served.requireOwnerType(context.caller.owner)
        try sessions.owner.requireKeyType(owner)
        let owner = sessions.owner.canonicalKey(owner)
        if let own = context.caller.owner, sessions.owner.canonicalKey(own) != owner {
            throw Problem(.notFound)
        }
        if context.method == .delete {
            return try await revokeSessions(context, sessions, owner: owner)
        }
        try context.requireParameters()
        let result = try await readSessions(
            context, sessions, sessions.sql.list,
            [.text(owner), .int(Int64(configuration.rowCountMax))])
        guard result.bool(0, 0) == true else { throw Problem(.notFound) }
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("items")
        writer.raw(result.bytes(0, 1))
        writer.endObject()
        return HTTPResponse(status: 200, headers: .json, body: .bytes(writer.bytes))
    }

    // MARK: One

    private func readSession(
        _ context: RequestContext, _ sessions: ServedSessions, id: String
    ) async throws(Problem) -> HTTPResponse {
        let copies = copies(sessions)
        var row = try await livingSession(context, sessions, id: id)
        let isDue = row?.isDue ?? false
        if let found = row, isDue {
            row = try await slide(context, sessions, found)
        }
        guard let row else {
            if let owner = context.caller.owner {
                await copies.forget(
                    owner: sessions.owner.canonicalKey(owner),
                    key: sessions.served.canonicalKey(id), deadline: context.deadline)
            }
            throw Problem(.notFound)
        }
        var headers = HTTPHeaders.json
        switch await copies.keep(row, isChanged: isDue, deadline: context.deadline) {
        case .kept: break
        case .ended: throw Problem(.notFound)
        case .restored:
            // It may have ended after its row was read, while Redis knew nothing of that.
            _ = try await sessionAgain(context, sessions, row)
        case .different:
            // Another read began the time anew since this one read the row, or somebody else wrote
            // there.
            let newer = try await sessionAgain(context, sessions, row)
            switch await copies.keep(newer, isChanged: true, deadline: context.deadline) {
            case .ended: throw Problem(.notFound)
            case .refused, .unavailable: headers.appendDegraded()
            case .kept, .restored, .different: break
            }
            return HTTPResponse(
                status: 200, headers: headers,
                body: .foreign(owner: newer.result, bytes: newer.body))
        case .refused, .unavailable: headers.appendDegraded()
        }
        return HTTPResponse(
            status: 200, headers: headers, body: .foreign(owner: row.result, bytes: row.body))
    }

    /// Reads a session once more.
    ///
    /// - Throws: 404 if it has ended; its copy goes with it.
    private func sessionAgain(
        _ context: RequestContext, _ sessions: ServedSessions, _ row: SessionRow
    ) async throws(Problem) -> SessionRow {
        if let found = try await livingSession(context, sessions, id: row.key) { return found }
        _ = await copies(sessions).end([(row.owner, row.key)], deadline: context.deadline)
        throw Problem(.notFound)
    }

    private func livingSession(
        _ context: RequestContext, _ sessions: ServedSessions, id: String
    ) async throws(Problem) -> SessionRow? {
        SessionRow(
            try await readSessions(
                context, sessions, sessions.sql.get,
                [.text(id), parameter(context.caller.owner)]))
    }

    /// Begins the row's time anew. A database that takes no writes must not end sessions, so an
    /// error leaves the row as it was.
    ///
    /// - Returns: nil where the session has ended meanwhile.
    private func slide(
        _ context: RequestContext, _ sessions: ServedSessions, _ row: SessionRow
    ) async throws(Problem) -> SessionRow? {
        do throws(PostgresError) {
            let result = try await postgres.write(
                sessions.sql.slide, [.text(row.key), parameter(context.caller.owner)],
                deadline: context.deadline, client: context.clientName)
            if let slid = SessionRow(result) { return slid }
        } catch {
            return row
        }
        return try await livingSession(context, sessions, id: row.key)
    }

    private func revokeSession(
        _ context: RequestContext, _ sessions: ServedSessions, id: String
    ) async throws(Problem) -> HTTPResponse {
        let result = try await writeSession(
            context, sessions, sessions.sql.revoke,
            [.text(id), parameter(context.caller.owner)])
        guard let owner = result.rowCount > 0 ? result.string(0, 0) : nil else {
            throw Problem(.notFound)
        }
        var headers: HTTPHeaders = [:]
        let ended = [(owner, result.string(0, 1) ?? "")]
        if await !copies(sessions).end(ended, deadline: context.deadline) {
            headers.appendDegraded()
        }
        return HTTPResponse(status: 204, headers: headers)
    }

    // MARK: All of an owner

    private func revokeSessions(
        _ context: RequestContext, _ sessions: ServedSessions, owner: String
    ) async throws(Problem) -> HTTPResponse {
        let spared = try context.requireParameters("except")["except"]
        if let spared, !sessions.served.canBeKey(spared) {
            throw Problem(
                .invalidParameter, "except must be the id of a session.",
                errors: [FieldError("except", "is not a valid uuid")])
        }
        let result = try await writeSession(
            context, sessions, sessions.sql.revokeAll, [.text(owner), parameter(spared)])
        guard result.bool(0, 0) == true else { throw Problem(.notFound) }
        let keys = (result.string(0, 1) ?? "").split(separator: " ").map(String.init)
        var headers = HTTPHeaders.json
        let ended = keys.map { (owner, $0) }
        if await !copies(sessions).end(ended, deadline: context.deadline) {
            headers.appendDegraded()
        }
        var writer = JSONWriter()
        writer.beginObject()
        writer.field("revoked", keys.count)
        writer.endObject()
        return HTTPResponse(status: 200, headers: headers, body: .bytes(writer.bytes))
    }

    // MARK: Pieces

    private func copies(_ sessions: ServedSessions) -> SessionCopies {
        guard let copies = sessionCopies[sessions.served.pack] else {
            preconditionFailure("a pack with sessions has no copies of them")
        }
        return copies
    }

    private func readSessions(
        _ context: RequestContext, _ sessions: ServedSessions, _ statement: Statement,
        _ parameters: [Parameter]
    ) async throws(Problem) -> PostgresResult {
        try await read(PlannedQuery(statement, parameters), context, sessions.served)
    }

    /// Sessions are not projected, so lanes that lag do not stand in their way.
    private func writeSession(
        _ context: RequestContext, _ sessions: ServedSessions, _ statement: Statement,
        _ parameters: [Parameter]
    ) async throws(Problem) -> PostgresResult {
        do throws(PostgresError) {
            return try await postgres.write(
                statement, parameters, deadline: context.deadline, client: context.clientName)
        } catch {
            throw await explain(
                error, context, sessions.served, body: context.request.body, isDelete: false)
        }
    }

    /// Has the copy put in place once Redis is back. If that fails too, the next read does it.
    private func noteRepair(
        _ context: RequestContext, _ sessions: ServedSessions, _ row: SessionRow
    ) async {
        _ = try? await postgres.query(
            SessionHousekeeper.note,
            [.text(sessions.served.pack), .text(row.owner), .text(row.key)],
            deadline: context.deadline)
    }
}

private func parameter(_ text: String?) -> Parameter { text.map { .text($0) } ?? .null }

extension HTTPHeaders {
    /// The answer is whole, but Redis has not been told.
    fileprivate mutating func appendDegraded() { append("Fourfold-Degraded", "redis") }
}
