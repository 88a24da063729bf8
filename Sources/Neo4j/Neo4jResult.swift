package import JSON

/// Rows of one statement, as the Query API's plain JSON gives them.
package struct Neo4jResult: Sendable {
    /// Column names in the order of the statement.
    package let fields: [String]
    /// An array of rows; each row is an array in the order of ``fields``.
    package let rows: JSONValue
    private let counters: JSONValue?

    /// - Parameter root: A whole answer without errors; nil when it lacks the shape.
    init?(root: JSONValue) {
        guard let data = root["data"], let fields = data["fields"], let rows = data["values"],
            fields.kind == .array, rows.kind == .array
        else { return nil }
        self.fields = fields.elements.compactMap(\.string)
        self.rows = rows
        counters = root["counters"]
    }

    package var rowCount: Int { rows.count }

    /// A counter of updates by the server's name, e.g. `nodesCreated`; 0 when absent.
    package func counter(_ name: String) -> Int64 { counters?[name]?.int ?? 0 }
}
