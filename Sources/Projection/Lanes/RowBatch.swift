internal import JSON

/// Rows for one statement as a JSON array, as PostgreSQL made it.
package struct RowBatch: Sendable {
    package var count: Int
    package var json: [UInt8]

    package init(count: Int, json: [UInt8]) {
        self.count = count
        self.json = json
    }

    package static let empty = RowBatch(count: 0, json: Array("[]".utf8))

    package var isEmpty: Bool { count == 0 }

    /// The rows one by one; only for the slow ways.
    package func rows() -> [[UInt8]] {
        guard let document = try? JSONDocument.parse(json) else { return [] }
        return document.root.elements.map { $0.serialized() }
    }

    /// The text of a member of each row, or of the row itself if it is a text.
    package func texts(_ member: String) -> [String] {
        guard let document = try? JSONDocument.parse(json) else { return [] }
        return document.root.elements.map { $0.string ?? $0[member]?.string ?? "" }
    }

    package init(rows: some Collection<[UInt8]>) {
        var writer = JSONWriter(capacity: rows.reduce(2) { $0 + $1.count + 1 })
        writer.beginArray()
        for row in rows { writer.raw(row) }
        writer.endArray()
        self.init(count: rows.count, json: writer.bytes)
    }

    package init(texts: some Collection<String>) {
        var writer = JSONWriter(capacity: texts.count * 40 + 2)
        writer.beginArray()
        for text in texts { writer.string(text) }
        writer.endArray()
        self.init(count: texts.count, json: writer.bytes)
    }
}
