package import Postgres

/// Applies SQL scripts in order, each once, in a transaction of its own.
///
/// An advisory lock keeps two starting gateways apart. A script that was applied and has changed
/// since is refused: what ran cannot be known from the file any more.
package struct Migrator: Sendable {
    /// The folder of the engine's own scripts, always first.
    package static let engineFolder = "fourfold"

    /// "fourfold" as a number: any constant that no other program uses.
    private static let lockKey: Int64 = 0x666f_7572_666f_6c64

    private let files: PackFiles

    package init(files: PackFiles) { self.files = files }

    /// What was done.
    package struct Summary: Sendable {
        /// Files that were applied now, in order.
        package var applied: [String] = []
        /// Files that had been applied before.
        package var skippedCount = 0
    }

    /// Brings the engine's schema and those of `packs` up to date.
    package func run(
        packs: [String], on connection: PostgresConnection
    ) async throws(PackFailure) -> Summary {
        try await Migrator.locked(connection) { () async throws(PackFailure) in
            do throws(PostgresError) {
                _ = try await connection.simple(Migrator.bootstrap)
            } catch {
                throw .database(error)
            }
            return try await applyAll(packs, connection)
        }
    }

    /// Runs `body` while no other process migrates or installs.
    package static func locked<Result>(
        _ connection: PostgresConnection, _ body: () async throws(PackFailure) -> Result
    ) async throws(PackFailure) -> Result {
        do throws(PostgresError) {
            _ = try await connection.query(
                Statement(unnamed: "SELECT pg_advisory_lock($1)"), [.int(Migrator.lockKey)])
        } catch {
            throw .database(error)
        }
        let outcome: Swift.Result<Result, PackFailure>
        do throws(PackFailure) {
            outcome = .success(try await body())
        } catch {
            outcome = .failure(error)
        }
        // A connection that failed gives the lock back by itself.
        _ = try? await connection.query(
            Statement(unnamed: "SELECT pg_advisory_unlock($1)"), [.int(Migrator.lockKey)])
        return try outcome.get()
    }

    private func applyAll(
        _ packs: [String], _ connection: PostgresConnection
    ) async throws(PackFailure) -> Summary {
        var summary = Summary()
        for folder in [Migrator.engineFolder] + packs {
            let scripts = try lifting { () throws(PackError) in try files.sqlScripts(folder) }
            for script in scripts {
                if try await apply(script, folder, connection) {
                    summary.applied.append(script.file)
                } else {
                    summary.skippedCount += 1
                }
            }
        }
        return summary
    }

    /// - Returns: False if the script had been applied before.
    private func apply(
        _ script: PackFiles.Script, _ folder: String, _ connection: PostgresConnection
    ) async throws(PackFailure) -> Bool {
        do throws(PostgresError) {
            let known = try await connection.query(
                Migrator.checkStatement, [.text(script.file), .text(script.text)])
            if known.rowCount > 0 {
                if known.bool(0, 0) == true { return false }
            } else {
                try await applyInTransaction(script, folder, connection)
                return true
            }
        } catch {
            _ = try? await connection.simple("ROLLBACK")
            guard let server = error.serverError else { throw .database(error) }
            throw .pack(
                PackError([
                    PackProblem(
                        file: script.file,
                        "PostgreSQL refuses it (\(server.sqlState)): \(server.message)",
                        remedy: server.hint ?? "Correct the script; nothing of it was applied.")
                ]))
        }
        throw .pack(PackError([changedProblem(script.file)]))
    }

    private func applyInTransaction(
        _ script: PackFiles.Script, _ folder: String, _ connection: PostgresConnection
    ) async throws(PostgresError) {
        _ = try await connection.simple(
            """
            BEGIN;
            SET LOCAL search_path = pg_catalog, public;
            \(script.text)
            ;
            """)
        _ = try await connection.query(
            Migrator.recordStatement, [.text(folder), .text(script.file), .text(script.text)])
        _ = try await connection.simple("COMMIT")
    }

    private func changedProblem(_ file: String) -> PackProblem {
        PackProblem(
            file: file, "it was applied and has changed since",
            remedy: "Restore it and put the change into a new script with the next number.")
    }

    private static let bootstrap = """
        CREATE SCHEMA IF NOT EXISTS fourfold;
        CREATE TABLE IF NOT EXISTS fourfold.migrations (
            pack text NOT NULL,
            file text NOT NULL,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (pack, file)
        );
        COMMENT ON TABLE fourfold.migrations IS 'Scripts that were applied, with their SHA-256.';
        """

    private static let checkStatement = Statement(
        unnamed: """
            SELECT checksum = encode(sha256(convert_to($2, 'UTF8')), 'hex') FROM fourfold.migrations
            WHERE file = $1
            """, isReadOnly: true)

    private static let recordStatement = Statement(
        unnamed: """
            INSERT INTO fourfold.migrations (pack, file, checksum)
            VALUES ($1, $2, encode(sha256(convert_to($3, 'UTF8')), 'hex'))
            """)
}
