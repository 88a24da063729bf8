internal import CPostgres

extension PostgresConnection {
    /// Runs `COPY … FROM STDIN` with the chunks that `next` returns until it returns nil.
    ///
    /// A chunk need not end at a line. `next` is asked again only when the last chunk went out.
    ///
    /// - Returns: The number of rows copied.
    /// - Throws: What `next` throws, or ``PostgresError``; nothing is copied then.
    package func copyIn(
        _ sql: String, next: () async throws -> [UInt8]?
    ) async throws -> Int {
        let mayBeApplied = !isInTransaction
        _ = try await command(sql, mayBeApplied: false)
        do {
            while let chunk = try await next() {
                try await send(chunk)
            }
            try checkBounds()
        } catch {
            // The server answers a failed copy with an error; what matters is the first reason.
            _ = try? await run(mayBeApplied: false, hasGrace: true) { raw in
                PQputCopyEnd(raw, "the client gave up")
            }
            throw error
        }
        let result = try await run(mayBeApplied: mayBeApplied) { raw in PQputCopyEnd(raw, nil) }
        return result.affectedRowCount
    }

    private func send(_ chunk: [UInt8]) async throws(PostgresError) {
        try checkBounds()
        guard chunk.count < Int(CInt.max), !isLost else {
            throw .connectionLost(mayHaveBeenApplied: false)
        }
        let status = chunk.withUnsafeBytes { bytes in
            PQputCopyData(session.raw, bytes.baseAddress, CInt(bytes.count))
        }
        if status != 1 {
            lose()
            throw .connectionLost(mayHaveBeenApplied: false)
        }
        try await drain()
    }

    private func checkBounds() throws(PostgresError) {
        if deadline.hasPassed { throw .timedOut(mayHaveBeenApplied: false) }
        if Task.isCancelled { throw .cancelled(mayHaveBeenApplied: false) }
    }
}
