internal import Postgres

extension Parameter {
    /// A `text[]` in PostgreSQL's text format.
    static func textArray(_ texts: some Collection<String>) -> Parameter {
        textArray(texts.map { Optional($0) })
    }

    /// A `text[]` with NULLs.
    static func textArray(_ texts: [String?]) -> Parameter {
        var bytes: [UInt8] = [UInt8(ascii: "{")]
        bytes.reserveCapacity(texts.count * 40 + 2)
        for text in texts {
            if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
            guard let text else {
                bytes.append(contentsOf: "NULL".utf8)
                continue
            }
            bytes.append(UInt8(ascii: "\""))
            for byte in text.utf8 {
                if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                    bytes.append(UInt8(ascii: "\\"))
                }
                bytes.append(byte)
            }
            bytes.append(UInt8(ascii: "\""))
        }
        bytes.append(UInt8(ascii: "}"))
        return .bytes(bytes)
    }
}
