internal import Packs
internal import Postgres
internal import Runtime
internal import Settings

/// What every command that needs PostgreSQL does with it.
struct Database: Sendable {
    let connectionString: String
    let files: PackFiles
    /// The packs asked for, or all there are.
    let packNames: [String]
    let startTimeout: Duration
    private let requestTimeout: Duration

    /// - Returns: nil after complaining: a setting is missing or names what is not there.
    init?(_ settings: Settings) {
        let connectionString = settings.text("DATABASE_URL")
        if connectionString == nil {
            complain("DATABASE_URL is not set: a libpq URL such as postgresql://user@host/database")
        }
        files = PackFiles(root: settings.text("FOURFOLD_ROOT") ?? ".")
        startTimeout = settings.duration("FOURFOLD_START_TIMEOUT")
        requestTimeout = settings.duration("FOURFOLD_REQUEST_TIMEOUT")
        let names = chosenPacks(settings, files)
        guard let connectionString, let names else { return nil }
        self.connectionString = connectionString
        packNames = names
    }

    func client(_ loop: EventLoop, exclusiveConnections: Int = 2) -> PostgresClient {
        var configuration = PostgresConfiguration(connectionString: connectionString)
        configuration.limits.exclusiveConnectionCountMax = exclusiveConnections
        configuration.limits.sharedStatementTimeout = requestTimeout
        return PostgresClient(loop: loop, configuration: configuration)
    }

    /// Waits until the server answers, at most the start timeout.
    func waitUntilReachable(_ client: PostgresClient, _ loop: EventLoop) async -> Bool {
        let deadline = Deadline.after(startTimeout)
        var hasComplained = false
        while true {
            do throws(PostgresError) {
                _ = try await client.query(
                    Statement(unnamed: "SELECT 1", isReadOnly: true), deadline: deadline)
                return true
            } catch {
                if deadline.hasPassed {
                    complain("PostgreSQL does not answer: \(operatorText(error, client))")
                    return false
                }
                if !hasComplained {
                    let reason = operatorText(error, client)
                    Log.warning("PostgreSQL does not answer yet", ("reason", reason))
                    hasComplained = true
                }
                try? await loop.sleep(for: .milliseconds(200))
            }
        }
    }

    /// Applies migrations and installs capture, then compiles. The files are checked first, so that
    /// nothing of a pack that cannot be served is applied.
    ///
    /// - Returns: nil after complaining.
    func migrateAndCompile(_ client: PostgresClient) async -> [Pack]? {
        let problems = packNames.flatMap { PackCompiler(files: files).problems($0) }
        for problem in problems { complain(problem.text) }
        guard problems.isEmpty else { return nil }
        do {
            return try await client.withConnection(deadline: .after(.seconds(600))) { connection in
                let summary = try await Migrator(files: files).run(packs: packNames, on: connection)
                for file in summary.applied { Log.info("migration applied", ("file", file)) }
                return try await Migrator.locked(connection) { () async throws(PackFailure) in
                    try await compile(connection)
                }
            }
        } catch {
            complain(error, client)
            return nil
        }
    }

    private func compile(_ connection: PostgresConnection) async throws(PackFailure) -> [Pack] {
        var packs: [Pack] = []
        for name in packNames {
            let pack = try await PackCompiler(files: files).compile(name, on: connection)
            let changed: [String]
            do throws(PostgresError) {
                changed = try await PackCompiler.installCapture(pack, on: connection)
            } catch {
                throw .database(error)
            }
            if !changed.isEmpty {
                Log.info(
                    "capture installed", ("pack", name),
                    ("entities", changed.joined(separator: " ")))
            }
            packs.append(pack)
        }
        return packs
    }
}

private func chosenPacks(_ settings: Settings, _ files: PackFiles) -> [String]? {
    let found = files.packNames()
    guard let wanted = settings.text("FOURFOLD_PACKS") else {
        if found.isEmpty { complain("no pack is in \(files.root)/schemas (FOURFOLD_ROOT)") }
        return found.isEmpty ? nil : found
    }
    let names = wanted.split(separator: ",").map(String.init)
    let missing = names.filter { !found.contains($0) }
    if !missing.isEmpty {
        complain("no pack named \(missing.joined(separator: ", ")) in \(files.root)/schemas")
        return nil
    }
    return names
}

/// Tells the operator why a step failed, whatever it was.
func complain(_ error: any Error, _ client: PostgresClient) {
    switch error {
    case let error as PackError: for problem in error.problems { complain(problem.text) }
    case PackFailure.pack(let error): for problem in error.problems { complain(problem.text) }
    case PackFailure.database(let error): complain(operatorText(error, client))
    case let error as PostgresError: complain(operatorText(error, client))
    default: complain("\(error)")
    }
}

/// An error of PostgreSQL in full, for the operator alone.
func operatorText(_ error: PostgresError, _ client: PostgresClient) -> String {
    if let server = error.serverError { return "\(server.sqlState) \(server.message)" }
    if case .unreachable = error, let failure = client.lastConnectFailure { return "\(failure)" }
    return "\(error)"
}
