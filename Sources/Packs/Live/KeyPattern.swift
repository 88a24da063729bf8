/// A key or channel with places for values, e.g. `user:{uid}:orb`.
///
/// A value fills a place whole and holds no `:`, so that a filled pattern can be taken apart again.
package struct KeyPattern: Hashable, Sendable {
    private enum Piece: Hashable, Sendable {
        case literal(String)
        case place(String)
    }

    package let text: String
    private let pieces: [Piece]

    /// - Returns: nil for a pattern that is empty, has an empty or repeated place, an unpaired
    ///   brace, two places side by side, or a character that globs and wire formats give a meaning.
    package init?(_ text: String) {
        var pieces: [Piece] = []
        var rest = text[...]
        while let open = rest.firstIndex(of: "{") {
            if open > rest.startIndex { pieces.append(.literal(String(rest[..<open]))) }
            guard let close = rest[open...].firstIndex(of: "}") else { return nil }
            let name = String(rest[rest.index(after: open)..<close])
            guard !name.isEmpty, !name.contains("{"), !pieces.contains(.place(name)) else {
                return nil
            }
            if case .place = pieces.last { return nil }
            pieces.append(.place(name))
            rest = rest[rest.index(after: close)...]
        }
        if !rest.isEmpty { pieces.append(.literal(String(rest))) }
        for case .literal(let literal) in pieces where !literal.utf8.allSatisfy(isPlain) {
            return nil
        }
        if pieces.isEmpty { return nil }
        self.text = text
        self.pieces = pieces
    }

    /// The names of its places, in order.
    package var places: [String] {
        pieces.compactMap { piece in
            if case .place(let name) = piece { return name }
            return nil
        }
    }

    /// Whether a text can stand in a place: 1 to 200 bytes, no `:`, no control or globbing
    /// character.
    package static func isValue(_ value: String) -> Bool { isValue(value.utf8) }

    /// The same of a part of a text. Not one generic function: called from another module it is not
    /// specialised, which took a tenth of a GET of a state.
    package static func isValue(_ value: Substring) -> Bool { isValue(value.utf8) }

    private static func isValue(_ bytes: some Collection<UInt8>) -> Bool {
        (1...valueByteCountMax).contains(bytes.count)
            && bytes.allSatisfy { isPlain($0) && $0 != UInt8(ascii: ":") }
    }

    package static let valueByteCountMax = 200

    /// The key with each place filled, in the order of ``places``.
    package func filled(_ values: [String]) -> String {
        var text = ""
        var next = values.makeIterator()
        for piece in pieces {
            switch piece {
            case .literal(let literal): text += literal
            case .place: text += next.next() ?? ""
            }
        }
        return text
    }

    /// The values of a filled pattern by the order of ``places``; nil if `key` is none.
    package func values(of key: String) -> [String]? {
        // Strings compare by meaning: the sign for kelvin would pass for a K, and is another key.
        guard key.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        var values: [String] = []
        var rest = key[...]
        for (index, piece) in pieces.enumerated() {
            switch piece {
            case .literal(let literal):
                guard rest.hasPrefix(literal) else { return nil }
                rest = rest.dropFirst(literal.count)
            case .place:
                let isLast = index == pieces.count - 1
                let end = isLast ? rest.endIndex : valueEnd(rest, before: pieces[index + 1])
                guard let end, KeyPattern.isValue(rest[..<end]) else { return nil }
                values.append(String(rest[..<end]))
                rest = rest[end...]
            }
        }
        return rest.isEmpty ? values : nil
    }

    private func valueEnd(_ rest: Substring, before piece: Piece) -> Substring.Index? {
        guard case .literal(let literal) = piece, let first = literal.first else { return nil }
        return rest.firstIndex(of: first)
    }

    /// The pattern with `*` in each place, for `SCAN`.
    package var glob: String { filled(places.map { _ in "*" }) }
}

/// Printable ASCII without what globs and braces use.
private func isPlain(_ byte: UInt8) -> Bool {
    guard (0x21...0x7E).contains(byte) else { return false }
    switch byte {
    case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "["), UInt8(ascii: "]"),
        UInt8(ascii: "\\"), UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: "\""):
        return false
    default: return true
    }
}
