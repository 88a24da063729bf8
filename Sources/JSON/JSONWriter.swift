/// Builds compact JSON text. Commas are its business; the nesting is the caller's.
package struct JSONWriter: Sendable {
    package private(set) var bytes: [UInt8] = []
    /// True where the next key or element needs a comma before it.
    private var needsComma = false

    package init() {}

    package init(capacity: Int) { bytes.reserveCapacity(capacity) }

    package mutating func beginObject() { open("{") }
    package mutating func endObject() { close("}") }
    package mutating func beginArray() { open("[") }
    package mutating func endArray() { close("]") }

    package mutating func key(_ name: String) {
        separate()
        quote(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    package mutating func string(_ text: String) {
        separate()
        quote(text)
        needsComma = true
    }

    package mutating func int<Number: BinaryInteger>(_ number: Number) { raw(number.description) }

    /// - Precondition: `number` is finite: JSON has no other numbers.
    package mutating func double(_ number: Double) {
        precondition(number.isFinite, "JSON cannot hold a number that is not finite")
        raw(number.description)
    }

    /// - Precondition: `number` is finite.
    package mutating func float(_ number: Float) {
        precondition(number.isFinite, "JSON cannot hold a number that is not finite")
        raw(number.description)
    }

    package mutating func bool(_ value: Bool) { raw(value ? "true" : "false") }
    package mutating func null() { raw("null") }

    /// Appends text that already is one JSON value.
    package mutating func raw(_ json: String) {
        separate()
        bytes.append(contentsOf: json.utf8)
        needsComma = true
    }

    /// Appends bytes that already are one JSON value.
    package mutating func raw<Bytes: Collection<UInt8>>(_ json: Bytes) {
        separate()
        bytes.append(contentsOf: json)
        needsComma = true
    }

    /// Appends a value of a parsed document.
    package mutating func value(_ value: JSONValue) { raw(value.serialized()) }

    package mutating func field(_ name: String, _ text: String?) {
        key(name)
        if let text { string(text) } else { null() }
    }

    package mutating func field<Number: BinaryInteger>(_ name: String, _ number: Number) {
        key(name)
        int(number)
    }

    package mutating func field(_ name: String, _ value: Bool) {
        key(name)
        bool(value)
    }

    // MARK: Pieces

    private mutating func open(_ bracket: Unicode.Scalar) {
        separate()
        bytes.append(UInt8(ascii: bracket))
        needsComma = false
    }

    private mutating func close(_ bracket: Unicode.Scalar) {
        bytes.append(UInt8(ascii: bracket))
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
    }

    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20, 0x7F:
                let digits = Array("0123456789abcdef".utf8)
                bytes.append(contentsOf: Array("\\u00".utf8))
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            default:
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
