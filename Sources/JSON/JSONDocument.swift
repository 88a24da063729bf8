internal import CYyjson

/// A parsed, immutable JSON text (RFC 8259, strict: no comments, no trailing commas, valid UTF-8).
///
/// Values keep their document alive. Numbers keep their source text, so that writing a value again
/// loses no digit.
package final class JSONDocument: @unchecked Sendable {
    let document: UnsafeMutablePointer<yyjson_doc>

    private init(_ document: UnsafeMutablePointer<yyjson_doc>) { self.document = document }

    deinit { yyjson_doc_free(document) }

    package var root: JSONValue { JSONValue(self, yyjson_doc_get_root(document)) }

    /// How numbers are read.
    package enum Numbers: Sendable {
        /// Keep the text; decoded when asked for. The right way for what clients send.
        case exact
        /// Decode while parsing: much faster for arrays of floating-point numbers.
        case decoded
    }

    /// Parses a whole text.
    ///
    /// - Parameters:
    ///   - bytes: UTF-8; copied where needed, not kept.
    ///   - depthMax: Greatest nesting of objects and arrays, at least 1.
    package static func parse(
        _ bytes: UnsafeRawBufferPointer, depthMax: Int = 64, numbers: Numbers = .exact
    ) throws(JSONError) -> JSONDocument {
        let scan = JSONScan(bytes)
        if scan.depth > depthMax { throw .tooDeep(depthMax: depthMax) }
        let flags =
            numbers == .exact ? YYJSON_READ_NUMBER_AS_RAW : YYJSON_READ_BIGNUM_AS_RAW
        var error = yyjson_read_err()
        let text = UnsafeMutablePointer(
            mutating: bytes.baseAddress?.assumingMemoryBound(to: CChar.self))
        // Without INSITU the text is only read.
        guard let document = yyjson_read_opts(text, bytes.count, flags, nil, &error) else {
            throw .malformed(offset: Int(error.pos))
        }
        if scan.mayContainNUL && containsNUL(document) {
            yyjson_doc_free(document)
            throw .containsNUL
        }
        return JSONDocument(document)
    }

    package static func parse(
        _ bytes: [UInt8], depthMax: Int = 64, numbers: Numbers = .exact
    ) throws(JSONError) -> JSONDocument {
        // A typed throw does not pass through `withUnsafeBytes` of Swift 6.0's Array.
        let result: Result<JSONDocument, JSONError> = bytes.withUnsafeBytes { buffer in
            Result { () throws(JSONError) in
                try parse(buffer, depthMax: depthMax, numbers: numbers)
            }
        }
        return try result.get()
    }

    package static func parse(
        _ text: String, depthMax: Int = 64
    ) throws(JSONError) -> JSONDocument {
        try parse(Array(text.utf8), depthMax: depthMax)
    }
}

/// What one pass over the bytes tells before the parser runs.
private struct JSONScan {
    /// Greatest nesting; only exact for well-formed texts, which is all that matters.
    var depth = 0
    /// An escape `\u0000` is there (or looks so).
    var mayContainNUL = false

    init(_ bytes: UnsafeRawBufferPointer) {
        var open = 0
        var isInString = false
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            if isInString {
                if byte == UInt8(ascii: "\\") {
                    if index + 5 < bytes.count, bytes[index + 1] == UInt8(ascii: "u"),
                        bytes[index + 2] == UInt8(ascii: "0"),
                        bytes[index + 3] == UInt8(ascii: "0"),
                        bytes[index + 4] == UInt8(ascii: "0"), bytes[index + 5] == UInt8(ascii: "0")
                    {
                        mayContainNUL = true
                    }
                    index += 1
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
            } else if byte == UInt8(ascii: "\"") {
                isInString = true
            } else if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") {
                open += 1
                depth = max(depth, open)
            } else if byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") {
                open -= 1
            }
            index += 1
        }
    }
}

private func containsNUL(_ document: UnsafeMutablePointer<yyjson_doc>) -> Bool {
    // Values lie in one array in reading order; strings are not terminated early by a NUL.
    guard let first = document.pointee.root else { return false }
    for index in 0..<document.pointee.val_read {
        let value = first + index
        guard yyjson_is_str(value), let text = yyjson_get_str(value) else { continue }
        let bytes = UnsafeRawBufferPointer(start: text, count: yyjson_get_len(value))
        if bytes.contains(0) { return true }
    }
    return false
}
