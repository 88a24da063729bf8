/// Percent-encoding of RFC 3986 §2.1.
package enum PercentDecoding {
    /// Whether every `%` has two hexadecimal digits and the result is UTF-8 without NUL.
    package static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%") {
                guard index + 2 < bytes.count,
                    let high = hexadecimalValue(bytes[index + 1]),
                    let low = hexadecimalValue(bytes[index + 2]), high | low != 0
                else { return false }
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(bytes[index])
                index += 1
            }
        }
        return String(validating: decoded, as: UTF8.self) != nil
    }

    /// Decodes bytes that ``isValid(_:)`` accepts; anything else is kept as it stands.
    ///
    /// - Parameter plusIsSpace: As HTML forms and PostgREST's clients encode query values.
    package static func decode(_ bytes: UnsafeRawBufferPointer, plusIsSpace: Bool) -> String {
        String(unsafeUninitializedCapacity: bytes.count) { output in
            var count = 0
            var index = 0
            while index < bytes.count {
                var byte = bytes[index]
                index += 1
                if byte == UInt8(ascii: "+"), plusIsSpace {
                    byte = UInt8(ascii: " ")
                } else if byte == UInt8(ascii: "%"), index + 1 < bytes.count,
                    let high = hexadecimalValue(bytes[index]),
                    let low = hexadecimalValue(bytes[index + 1])
                {
                    byte = high << 4 | low
                    index += 2
                }
                output.initializeElement(at: count, to: byte)
                count += 1
            }
            return count
        }
    }

    private static func hexadecimalValue(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
