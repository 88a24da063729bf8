/// Where path and query stand in the bytes of a request target.
package struct HTTPTarget: Sendable, Equatable {
    package private(set) var path: Range<Int>
    /// Without its question mark; nil when the target has none.
    package private(set) var query: Range<Int>?
    /// Nothing in the path is encoded.
    package private(set) var isPathPlain: Bool

    /// Splits and checks a target in origin form, absolute form or `*`.
    ///
    /// - Throws: ``HTTPServerError/targetInvalid`` for anything whose decoded form would not be
    ///   UTF-8 without NUL, so that decoding later cannot fail.
    package init(_ target: UnsafeRawBufferPointer) throws(HTTPServerError) {
        let start = try HTTPTarget.pathStart(target)
        var question: Int?
        var hasEncodedBytes = false
        isPathPlain = true
        for index in start..<target.count {
            let byte = target[index]
            switch byte {
            // The most frequent first.
            case UInt8(ascii: "@")...UInt8(ascii: "~"), UInt8(ascii: "&")...UInt8(ascii: ">"):
                continue
            case UInt8(ascii: "?"):
                if question == nil { question = index }
            case UInt8(ascii: "%"), 0x80...:
                hasEncodedBytes = true
                if question == nil { isPathPlain = false }
            case 0...0x20, 0x7f, UInt8(ascii: "#"):
                throw .targetInvalid
            default: break
            }
        }
        path = start..<(question ?? target.count)
        query = question.map { ($0 + 1)..<target.count }
        if hasEncodedBytes {
            let rest = UnsafeRawBufferPointer(rebasing: target[start...])
            guard PercentDecoding.isValid(rest) else { throw .targetInvalid }
        }
    }

    init() {
        path = 0..<0
        isPathPlain = true
    }

    /// Skips scheme and authority of the absolute form, which servers must accept
    /// (RFC 9112 §3.2.2).
    private static func pathStart(
        _ target: UnsafeRawBufferPointer
    ) throws(HTTPServerError) -> Int {
        guard let first = target.first else { throw .targetInvalid }
        if first == UInt8(ascii: "/") { return 0 }
        if first == UInt8(ascii: "*"), target.count == 1 { return 0 }
        for scheme in ["http://", "https://"] {
            let length = scheme.utf8.count
            guard target.count > length,
                zip(target, scheme.utf8).allSatisfy({ $0 | 0x20 == $1 | 0x20 })
            else { continue }
            let authorityEnd = target[length...].firstIndex(of: UInt8(ascii: "/"))
            guard let authorityEnd, authorityEnd > length else { throw .targetInvalid }
            return authorityEnd
        }
        throw .targetInvalid
    }
}
