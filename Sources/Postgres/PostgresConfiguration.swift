internal import Runtime

/// How to reach the server, and every bound of a client. One client belongs to one loop.
package struct PostgresConfiguration: Sendable {
    /// A libpq connection string or `postgresql://` URL.
    package var connectionString: String
    package var applicationName = "fourfold"
    /// Session settings of every connection, sent with the start-up packet.
    package var settings: [(name: String, value: String)] = [
        ("TimeZone", "UTC"),
        ("DateStyle", "ISO"),
        ("IntervalStyle", "iso_8601"),
        ("extra_float_digits", "1"),
        ("search_path", "pg_catalog"),
        // PostgreSQL compiles a statement whose estimated cost is high, and functions that return
        // sets are estimated high: 0.8 s for what then runs in milliseconds.
        ("jit", "off"),
    ]
    package var limits = PostgresLimits()

    package init(connectionString: String) { self.connectionString = connectionString }
}

/// Bounds of one client; each is for one loop.
package struct PostgresLimits: Sendable {
    /// Connections that carry pipelined point statements.
    package var sharedConnectionCount = 1
    /// Statements in flight on one shared connection.
    package var inFlightCountMax = 512
    /// Read-only point statements that share one sync.
    package var sharedSyncCountMax = 32
    /// Point statements that wait for room or for a connection.
    package var queryQueueCountMax = 8_192
    /// `statement_timeout` of shared connections.
    package var sharedStatementTimeout = Duration.seconds(5)

    /// Connections that carry group commits.
    package var writeConnectionCount = 2
    /// Writes that wait for a write connection.
    package var writeQueueCountMax = 8_192
    /// Writes in one transaction.
    package var batchCountMax = 32
    /// A batch that took longer makes the next ones smaller.
    package var batchDurationMax = Duration.milliseconds(100)
    /// `statement_timeout` in a batch; a statement that needs longer runs again on its own.
    package var batchStatementTimeout = Duration.milliseconds(500)
    /// `lock_timeout` in a batch; a statement that waits longer runs again on its own.
    package var batchLockTimeout = Duration.milliseconds(20)
    /// How long a client whose write failed commits alone.
    package var suspectDuration = Duration.seconds(10)
    /// Suspects remembered.
    package var suspectCountMax = 1_024

    /// Exclusive connections.
    package var exclusiveConnectionCountMax = 8
    /// Callers that wait for an exclusive connection.
    package var exclusiveQueueCountMax = 256
    /// How long a cancel or a rollback may take before the connection is given up.
    package var cancelGrace = Duration.seconds(1)

    package var connectTimeout = Duration.seconds(5)
    /// Wait after the first failed connect; it doubles up to `backoffMax`, each time with jitter.
    package var backoffMin = Duration.milliseconds(100)
    package var backoffMax = Duration.seconds(5)
    /// A shared connection whose oldest statement is unanswered this long after its deadline is
    /// given up.
    package var hungConnectionGrace = Duration.seconds(10)

    package init() {}
}

/// What a connection is for: decides its session settings.
enum ConnectionRole {
    case shared, write, exclusive

    func timeouts(_ limits: PostgresLimits) -> [(name: String, value: String)] {
        func milliseconds(_ duration: Duration) -> String { "\(duration.wholeMilliseconds)" }
        switch self {
        case .shared:
            return [("statement_timeout", milliseconds(limits.sharedStatementTimeout))]
        case .write:
            return [
                ("statement_timeout", milliseconds(limits.batchStatementTimeout)),
                ("lock_timeout", milliseconds(limits.batchLockTimeout)),
            ]
        case .exclusive:
            // A statement whose client is gone ends, so that it does not hold its locks.
            return [("client_connection_check_interval", "1000")]
        }
    }
}
