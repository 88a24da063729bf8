internal import Glibc
internal import Runtime

/// One SQL statement with `$1 …` parameters.
///
/// A named statement is prepared lazily, once on each connection; make it once and keep it, because
/// every value takes a slot on every connection for the life of the process. A statement without a
/// name is parsed at every use: right for SQL that is composed per request.
package struct Statement: Sendable {
    let storage: StatementStorage

    /// A statement that is prepared under `name` (for logs and `pg_prepared_statements`).
    ///
    /// - Parameter isReadOnly: Running it twice or not at all makes no difference. A lost
    ///   connection is then reported as not applied.
    package init(_ name: String, _ sql: String, isReadOnly: Bool = false) {
        let index = nextStatementIndex.withLock { next in
            defer { next += 1 }
            return next
        }
        // The index keeps two statements of one name apart on the server.
        storage = StatementStorage(
            name: name, serverName: "\(name.prefix(40))_\(index)", sql: sql, index: index,
            isReadOnly: isReadOnly)
    }

    /// A statement that is parsed at every use.
    package init(unnamed sql: String, isReadOnly: Bool = false) {
        storage = StatementStorage(
            name: "", serverName: nil, sql: sql, index: -1, isReadOnly: isReadOnly)
    }

    package var name: String { storage.name }
    package var sql: String { String(cString: storage.sql) }
    package var isReadOnly: Bool { storage.isReadOnly }
}

/// The C strings of a statement, made once.
final class StatementStorage: @unchecked Sendable {
    let name: String
    /// The name on the server; nil when the statement is never prepared.
    let serverName: UnsafePointer<CChar>?
    let sql: UnsafePointer<CChar>
    /// Its slot in each connection's table of prepared statements; -1 when never prepared.
    let index: Int
    let isReadOnly: Bool

    init(name: String, serverName: String?, sql: String, index: Int, isReadOnly: Bool) {
        self.name = name
        self.serverName = serverName.map { UnsafePointer(strdup($0)) }
        self.sql = UnsafePointer(strdup(sql))
        self.index = index
        self.isReadOnly = isReadOnly
    }

    deinit {
        free(UnsafeMutablePointer(mutating: serverName))
        free(UnsafeMutablePointer(mutating: sql))
    }
}

private let nextStatementIndex = Lock(0)

/// Which statements one connection has prepared.
struct PreparedStatements {
    enum State: UInt8 { case unknown, prepared, stale }

    private var states: [State] = []

    subscript(statement: StatementStorage) -> State {
        get { statement.index < states.count ? states[statement.index] : .unknown }
        set {
            if statement.index >= states.count {
                let missing = statement.index + 1 - states.count
                states.append(contentsOf: repeatElement(.unknown, count: missing))
            }
            states[statement.index] = newValue
        }
    }

    mutating func removeAll() { states.removeAll() }
}
