/// Header lines of a response, kept as the bytes that go to the socket.
///
/// Copies share their bytes, so a constant set of headers costs nothing per response. The server
/// adds Date, Content-Length, Transfer-Encoding and Connection itself; do not set them.
package struct HTTPHeaders: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    private(set) var bytes: [UInt8] = []

    package init() {}

    package init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { append(name, value) }
    }

    /// Adds a line. Control characters become spaces: a value cannot start another line.
    package mutating func append(_ name: String, _ value: String) {
        let start = bytes.count
        bytes.reserveCapacity(start + name.utf8.count + value.utf8.count + 4)
        bytes.append(contentsOf: name.utf8)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(UInt8(ascii: " "))
        bytes.append(contentsOf: value.utf8)
        for index in start..<bytes.count where bytes[index] < 0x20 || bytes[index] == 0x7f {
            bytes[index] = UInt8(ascii: " ")
        }
        bytes.append(UInt8(ascii: "\r"))
        bytes.append(UInt8(ascii: "\n"))
    }

    /// Adds a line whose value is `bytes` in double quotes, as an entity tag is written.
    package mutating func append(_ name: StaticString, quoted value: UnsafeRawBufferPointer) {
        bytes.reserveCapacity(bytes.count + name.utf8CodeUnitCount + value.count + 6)
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: HTTPHeaders.quoteBegins)
        for byte in value { bytes.append(byte < 0x20 || byte == 0x7f ? UInt8(ascii: " ") : byte) }
        bytes.append(contentsOf: HTTPHeaders.quoteEnds)
    }

    private static let quoteBegins = Array(": \"".utf8)
    private static let quoteEnds = Array("\"\r\n".utf8)

    /// The value of the first line called `name`, in any case.
    package subscript(_ name: String) -> String? {
        for line in bytes.split(separator: UInt8(ascii: "\n")) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")),
                line[..<colon].elementsEqual(name.utf8, by: {
                    ASCII.lowercased($0) == ASCII.lowercased($1)
                })
            else { continue }
            return String(decoding: line[colon...].dropFirst(2).dropLast(), as: UTF8.self)
        }
        return nil
    }
}
