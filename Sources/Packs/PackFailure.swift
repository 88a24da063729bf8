package import Postgres

/// Why a pack could not be migrated or compiled.
package enum PackFailure: Error {
    case database(PostgresError)
    case pack(PackError)
}

/// Lifts an error of the files.
func lifting<Value>(
    _ body: () throws(PackError) -> Value
) throws(PackFailure) -> Value {
    do throws(PackError) {
        return try body()
    } catch {
        throw .pack(error)
    }
}
