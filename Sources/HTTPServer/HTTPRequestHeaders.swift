/// The header lines of a request, in the client's order. Names are in lower case.
package struct HTTPRequestHeaders: Sequence, Sendable {
    let head: HTTPRequestHead

    package var count: Int { head.fields.count }

    /// The value of `name` in any case; values of repeated lines are joined with `, `
    /// (RFC 9110 §5.3): a list may be spread over lines, a repeated single value is not valid.
    package subscript(_ name: String) -> String? {
        var joined: String?
        for field in head.fields where matches(field, name) {
            let value = String(decoding: head.value(of: field), as: UTF8.self)
            joined = joined.map { $0 + ", " + value } ?? value
        }
        return joined
    }

    package func contains(_ name: String) -> Bool {
        head.fields.contains { matches($0, name) }
    }

    package func makeIterator() -> AnyIterator<(name: String, value: String)> {
        var fields = head.fields.makeIterator()
        return AnyIterator {
            guard let field = fields.next() else { return nil }
            return (
                String(decoding: head.name(of: field), as: UTF8.self),
                String(decoding: head.value(of: field), as: UTF8.self)
            )
        }
    }

    private func matches(_ field: HTTPRequestHead.Field, _ name: String) -> Bool {
        guard name.utf8.count == Int(field.nameCount) else { return false }
        var index = Int(field.nameStart)
        for byte in name.utf8 {
            guard head.bytes[index] == ASCII.lowercased(byte) else { return false }
            index += 1
        }
        return true
    }
}

/// Case folding of protocol tokens.
enum ASCII {
    @inline(__always)
    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }

    /// Whether `bytes` spell `lowercaseToken` in any case.
    static func equals(_ bytes: some Collection<UInt8>, _ lowercaseToken: StaticString) -> Bool {
        guard bytes.count == lowercaseToken.utf8CodeUnitCount else { return false }
        return lowercaseToken.withUTF8Buffer { token in
            zip(bytes, token).allSatisfy { lowercased($0) == $1 }
        }
    }
}
