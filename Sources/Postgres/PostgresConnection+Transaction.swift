extension PostgresConnection {
    package enum Isolation: String, Sendable {
        case readCommitted = "READ COMMITTED"
        case repeatableRead = "REPEATABLE READ"
        case serializable = "SERIALIZABLE"
    }

    /// Runs `body` in a transaction: commits when it returns, rolls back when it throws.
    ///
    /// - Throws: What `body` throws, or ``PostgresError``. A commit that the server turned into a
    ///   rollback, because an error was swallowed in `body`, is a server error 25P02.
    @discardableResult
    package func transaction<R>(
        isolation: Isolation = .readCommitted, readOnly: Bool = false,
        _ body: () async throws -> R
    ) async throws -> R {
        let access = readOnly ? " READ ONLY" : ""
        _ = try await command(
            "BEGIN ISOLATION LEVEL \(isolation.rawValue)\(access)", mayBeApplied: false)
        let value: R
        do {
            value = try await body()
        } catch {
            await rollBack()
            throw error
        }
        try await commit(mayBeApplied: !readOnly)
        return value
    }

    private func commit(mayBeApplied: Bool) async throws(PostgresError) {
        do throws(PostgresError) {
            let result = try await command("COMMIT", mayBeApplied: mayBeApplied)
            guard result.hasTag("COMMIT") else {
                throw PostgresError.server(
                    ServerError(
                        sqlState: "25P02",
                        message: "rolled back: a statement of the transaction had failed"))
            }
        } catch {
            // The deadline may have passed before COMMIT was sent.
            await rollBack()
            throw error
        }
    }

    private func rollBack() async {
        guard isInTransaction else { return }
        do {
            _ = try await command("ROLLBACK", mayBeApplied: false, hasGrace: true)
        } catch {
            lose()
        }
    }
}
