internal import CPostgres

/// The answer to one statement. Owns libpq's memory: bytes handed out live as long as this object.
package final class PostgresResult: @unchecked Sendable {
    private let raw: OpaquePointer

    /// Takes over `raw`.
    init(_ raw: OpaquePointer) { self.raw = raw }

    deinit { PQclear(raw) }

    package var rowCount: Int { Int(PQntuples(raw)) }
    package var columnCount: Int { Int(PQnfields(raw)) }

    package func isNull(_ row: Int, _ column: Int) -> Bool {
        PQgetisnull(raw, CInt(row), CInt(column)) != 0
    }

    /// The value's text as it came from the server, without a copy; empty for NULL.
    package func bytes(_ row: Int, _ column: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: PQgetvalue(raw, CInt(row), CInt(column)),
            count: Int(PQgetlength(raw, CInt(row), CInt(column))))
    }

    /// The value as text; nil for NULL.
    package func string(_ row: Int, _ column: Int) -> String? {
        isNull(row, column) ? nil : String(decoding: bytes(row, column), as: UTF8.self)
    }

    /// The value as an integer; nil for NULL and for text that is none.
    package func int(_ row: Int, _ column: Int) -> Int64? {
        let text = bytes(row, column)
        guard text.count <= 20 else { return nil }
        return Int64(String(decoding: text, as: UTF8.self))
    }

    /// The value as a boolean; nil for NULL and for text that is none.
    package func bool(_ row: Int, _ column: Int) -> Bool? {
        let text = bytes(row, column)
        guard text.count == 1 else { return nil }
        switch text[0] {
        case UInt8(ascii: "t"): return true
        case UInt8(ascii: "f"): return false
        default: return nil
        }
    }

    /// Rows inserted, updated, deleted, selected or copied; zero for other commands.
    package var affectedRowCount: Int {
        PQcmdTuples(raw).flatMap { Int(String(cString: $0)) } ?? 0
    }

    package func columnName(_ column: Int) -> String {
        PQfname(raw, CInt(column)).map { String(cString: $0) } ?? ""
    }

    /// The `pg_type` OID of a column.
    package func typeOID(_ column: Int) -> UInt32 { PQftype(raw, CInt(column)) }

    /// Whether the command tag is `tag`, as in `COMMIT`.
    func hasTag(_ tag: String) -> Bool {
        PQcmdStatus(raw).map { String(cString: $0) == tag } ?? false
    }
}
