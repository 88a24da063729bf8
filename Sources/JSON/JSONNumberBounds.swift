/// How long the numbers of a document may be: `1e131071` is a short text and a long value.
package struct JSONNumberBounds: Sendable {
    /// Characters of one number.
    package var byteCountMax = 1_000
    /// Of either sign.
    package var exponentMax = 400
    /// Refuses what is nearer to zero than any double, as PostgreSQL does for a column of doubles.
    package var refusesUnderflow = false

    package init(refusesUnderflow: Bool = false) { self.refusesUnderflow = refusesUnderflow }

    /// Whether each number in `value` keeps the bounds; only for documents read with exact numbers.
    package func allow(_ value: JSONValue) -> Bool {
        switch value.kind {
        case .number: value.numberText.map(allow) ?? true
        case .array: value.elements.allSatisfy(allow)
        case .object: value.rawMembers.allSatisfy { allow($0.value) }
        case .null, .bool, .string: true
        }
    }

    private func allow(_ text: String) -> Bool {
        guard text.utf8.count <= byteCountMax, !(refusesUnderflow && isUnderflow(text)) else {
            return false
        }
        guard let mark = text.utf8.firstIndex(where: { $0 | 0x20 == UInt8(ascii: "e") }) else {
            return true
        }
        guard let exponent = Int(text[text.index(after: mark)...]) else { return false }
        return exponent.magnitude <= UInt(exponentMax)
    }

    private func isUnderflow(_ text: String) -> Bool {
        let digits = text.utf8.prefix { $0 | 0x20 != UInt8(ascii: "e") }
        let isZero = digits.allSatisfy { !(UInt8(ascii: "1")...UInt8(ascii: "9")).contains($0) }
        return !isZero && Double(text) == 0
    }
}
