/// Why a text is not the JSON we take. Never carries any of the text.
package enum JSONError: Error, Equatable, Sendable {
    /// RFC 8259 is violated at this byte offset (includes invalid UTF-8).
    case malformed(offset: Int)
    /// Objects and arrays nest deeper than the limit.
    case tooDeep(depthMax: Int)
    /// A string holds U+0000, which PostgreSQL cannot store.
    case containsNUL
}
