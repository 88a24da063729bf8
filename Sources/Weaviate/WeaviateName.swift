/// Which names and ids may be written into a URL or into GraphQL text.
enum WeaviateName {
    private static let byteCountMax = 255

    /// `^[A-Z][_0-9A-Za-z]{0,254}$`, the server's own rule.
    static func isClass(_ name: String) -> Bool {
        guard let first = name.utf8.first else { return false }
        return isUpperLetter(first) && name.utf8.count <= byteCountMax
            && name.utf8.allSatisfy(isWordByte)
    }

    /// `^[_A-Za-z][_0-9A-Za-z]{0,254}$`.
    static func isProperty(_ name: String) -> Bool {
        guard let first = name.utf8.first else { return false }
        return !isDigit(first) && name.utf8.count <= byteCountMax
            && name.utf8.allSatisfy(isWordByte)
    }

    /// The canonical form of a UUID, in either case.
    static func isObjectID(_ id: String) -> Bool {
        let bytes = Array(id.utf8)
        guard bytes.count == 36 else { return false }
        for (index, byte) in bytes.enumerated() {
            let isDash = [8, 13, 18, 23].contains(index)
            if isDash != (byte == UInt8(ascii: "-")) { return false }
            if !isDash && !isHexDigit(byte) { return false }
        }
        return true
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        isUpperLetter(byte) || isDigit(byte) || byte == UInt8(ascii: "_")
            || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
    }

    private static func isUpperLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        isDigit(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte | 0x20)
    }
}
