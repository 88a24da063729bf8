internal import JSON

/// Where a page ended: the order's values of its last row.
///
/// Opaque to clients. Its checksum catches cursors that were changed or belong to another list; it
/// is no secret and guards nothing: the values only ever become parameters, beside the filters and
/// the owner of the request.
struct Cursor: Equatable, Sendable {
    /// As text; nil is null.
    let values: [String?]

    init(values: [String?]) { self.values = values }

    /// - Parameter json: The array of texts that the list's statement gives.
    init?(json: String) {
        guard let document = try? JSONDocument.parse(json), document.root.kind == .array else {
            return nil
        }
        values = document.root.elements.map(\.string)
    }

    /// - Parameter identity: What the list is: its entity, filters and order.
    func encoded(identity: String) -> String {
        var writer = JSONWriter()
        writer.beginArray()
        writer.string(checksum(identity))
        for value in values {
            if let value { writer.string(value) } else { writer.null() }
        }
        writer.endArray()
        return Base64URL.encode(writer.bytes)
    }

    static func decode(
        _ text: String,
        identity: String,
        valueCount: Int,
        byteCountMax: Int
    ) throws(Problem) -> Cursor {
        guard text.utf8.count <= byteCountMax, let bytes = Base64URL.decode(text),
            let document = try? JSONDocument.parse(bytes, depthMax: 1),
            document.root.kind == .array
        else { throw invalid }
        let elements = Array(document.root.elements)
        guard elements.count == valueCount + 1, let checksum = elements[0].string else {
            throw invalid
        }
        let cursor = Cursor(values: elements.dropFirst().map(\.string))
        let areTexts = elements.allSatisfy { $0.kind == .string || $0.isNull }
        guard areTexts, cursor.checksum(identity) == checksum else { throw invalid }
        return cursor
    }

    private static let invalid = Problem(
        .invalidCursor,
        "The cursor was changed or made for another list.",
        hint: "Take it from the Link header and keep filters and order as they were.",
        errors: [FieldError("cursor", "does not belong to this list")]
    )

    /// FNV-1a, 64 bits.
    private func checksum(_ identity: String) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ text: String, _ end: UInt8) {
            for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            hash = (hash ^ UInt64(end)) &* 0x100_0000_01b3
        }
        add(identity, 0xFF)
        for value in values { add(value ?? "", value == nil ? 0xFD : 0xFE) }
        return String(hash, radix: 36)
    }
}
