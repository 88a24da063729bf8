internal import JSON
internal import Redis

/// One write in the stream of a history.
struct HistoryEntry: Equatable {
    let id: String
    let row: String
    /// Nil for a delete.
    let value: [UInt8]?

    /// - Returns: nil for what no gateway wrote, but for its id.
    init?(_ reply: RedisReply) {
        guard let parts = reply.array, parts.count == 2, let id = parts[0].string,
            let fields = parts[1].array
        else { return nil }
        var row: String?
        var value: [UInt8]?
        for index in stride(from: 0, to: fields.count - 1, by: 2) {
            guard case .bytes(let bytes) = fields[index + 1] else { continue }
            switch fields[index].string {
            case "r": row = String(decoding: bytes, as: UTF8.self)
            case "v": value = bytes
            default: break
            }
        }
        self.id = id
        self.row = row ?? ""
        self.value = value
    }

    /// As `fourfold.drain_history` takes it.
    func write(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.field("i", id)
        writer.field("r", row)
        if let value {
            // One entry that PostgreSQL cannot read would hold up all that come after it.
            if let root = try? JSONDocument.parse(value).root, root.kind == .object,
                JSONNumberBounds().allow(root)
            {
                writer.key("v")
                writer.raw(value)
            } else {
                writer.field("x", true)
            }
        }
        writer.endObject()
    }

    /// Before every entry.
    static let firstID = "0-0"

    /// The least id that is greater than `id`.
    static func following(_ id: String) -> String? {
        let parts = id.split(separator: "-")
        guard parts.count == 2, let sequence = UInt64(parts[1]), sequence < .max else { return nil }
        return "\(parts[0])-\(sequence + 1)"
    }
}
