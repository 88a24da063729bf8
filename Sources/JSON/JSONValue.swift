internal import CYyjson
internal import Glibc

/// One value of a document.
package struct JSONValue: @unchecked Sendable {
    package enum Kind: Sendable { case null, bool, number, string, array, object }

    private let document: JSONDocument
    let value: UnsafeMutablePointer<yyjson_val>?

    init(_ document: JSONDocument, _ value: UnsafeMutablePointer<yyjson_val>?) {
        self.document = document
        self.value = value
    }

    package var kind: Kind {
        if yyjson_is_str(value) { return .string }
        if yyjson_is_obj(value) { return .object }
        if yyjson_is_arr(value) { return .array }
        if yyjson_is_num(value) || yyjson_is_raw(value) { return .number }
        if yyjson_is_bool(value) { return .bool }
        return .null
    }

    package var isNull: Bool { kind == .null }

    package var string: String? {
        guard yyjson_is_str(value), let text = yyjson_get_str(value) else { return nil }
        let bytes = UnsafeRawBufferPointer(start: text, count: yyjson_get_len(value))
        return String(decoding: bytes, as: UTF8.self)
    }

    package var bool: Bool? { yyjson_is_bool(value) ? yyjson_get_bool(value) : nil }

    /// The number, if it is written as an integer that fits 64 bits.
    package var int: Int64? {
        if yyjson_is_raw(value) { return numberText.flatMap { Int64($0) } }
        if yyjson_is_sint(value) { return yyjson_get_sint(value) }
        if yyjson_is_uint(value) { return Int64(exactly: yyjson_get_uint(value)) }
        return nil
    }

    /// The number as the nearest finite double; nil beyond its range.
    package var double: Double? {
        if yyjson_is_raw(value) {
            guard let text = yyjson_get_raw(value) else { return nil }
            let number = strtod(text, nil)
            return number.isFinite ? number : nil
        }
        return yyjson_is_num(value) ? yyjson_get_num(value) : nil
    }

    /// The number as it was written; only for documents read with exact numbers.
    package var numberText: String? {
        guard yyjson_is_raw(value), let text = yyjson_get_raw(value) else { return nil }
        return String(
            decoding: UnsafeRawBufferPointer(start: text, count: yyjson_get_len(value)),
            as: UTF8.self)
    }

    /// Members of an object, elements of an array, else 0.
    package var count: Int {
        kind == .object ? yyjson_obj_size(value) : yyjson_arr_size(value)
    }

    /// The member of an object (the last one where a key is repeated, as PostgreSQL's jsonb does).
    package subscript(_ key: String) -> JSONValue? {
        guard yyjson_is_obj(value) else { return nil }
        var found: JSONValue?
        var name = key
        name.withUTF8 { name in
            let name = UnsafeRawBufferPointer(name)
            for member in rawMembers where member.key.isText(name) { found = member.value }
        }
        return found
    }

    /// The elements of an array in order; empty for anything else.
    package var elements: Elements { Elements(document, value) }

    /// The members of an object in order; empty for anything else.
    package var members: Members { Members(document, value) }

    /// The elements as numbers, for vectors. Nil if one of them is no finite number.
    package var floats: [Float]? {
        guard yyjson_is_arr(value) else { return nil }
        var floats: [Float] = []
        floats.reserveCapacity(count)
        for element in elements {
            guard let number = element.double else { return nil }
            let float = Float(number)
            guard float.isFinite else { return nil }
            floats.append(float)
        }
        return floats
    }

    /// The value as compact JSON.
    package func serialized() -> [UInt8] {
        var length = 0
        guard let text = yyjson_val_write(value, YYJSON_WRITE_NOFLAG, &length) else { return [] }
        defer { free(text) }
        return Array(UnsafeRawBufferPointer(start: text, count: length))
    }

    /// Appends the value as compact JSON.
    package func serialize(into bytes: inout [UInt8]) {
        var length = 0
        guard let text = yyjson_val_write(value, YYJSON_WRITE_NOFLAG, &length) else { return }
        defer { free(text) }
        bytes.append(contentsOf: UnsafeRawBufferPointer(start: text, count: length))
    }

    package struct Elements: Sequence, IteratorProtocol {
        private let document: JSONDocument
        private var iterator = yyjson_arr_iter()

        init(_ document: JSONDocument, _ value: UnsafeMutablePointer<yyjson_val>?) {
            self.document = document
            yyjson_arr_iter_init(value, &iterator)
        }

        package mutating func next() -> JSONValue? {
            guard let element = yyjson_arr_iter_next(&iterator) else { return nil }
            return JSONValue(document, element)
        }
    }

    /// Whether it is the string of these bytes.
    func isText(_ other: UnsafeRawBufferPointer) -> Bool {
        guard yyjson_is_str(value), let text = yyjson_get_str(value),
            yyjson_get_len(value) == other.count
        else { return false }
        guard let start = other.baseAddress else { return true }
        return memcmp(text, start, other.count) == 0
    }

    /// ``members`` without making strings of the keys.
    var rawMembers: RawMembers { RawMembers(document, value) }

    struct RawMembers: Sequence, IteratorProtocol {
        private let document: JSONDocument
        private var iterator = yyjson_obj_iter()

        init(_ document: JSONDocument, _ value: UnsafeMutablePointer<yyjson_val>?) {
            self.document = document
            yyjson_obj_iter_init(value, &iterator)
        }

        mutating func next() -> (key: JSONValue, value: JSONValue)? {
            guard let key = yyjson_obj_iter_next(&iterator) else { return nil }
            return (
                JSONValue(document, key), JSONValue(document, yyjson_obj_iter_get_val(key))
            )
        }
    }

    package struct Members: Sequence, IteratorProtocol {
        private let document: JSONDocument
        private var iterator = yyjson_obj_iter()

        init(_ document: JSONDocument, _ value: UnsafeMutablePointer<yyjson_val>?) {
            self.document = document
            yyjson_obj_iter_init(value, &iterator)
        }

        package mutating func next() -> (key: String, value: JSONValue)? {
            guard let key = yyjson_obj_iter_next(&iterator) else { return nil }
            let name = JSONValue(document, key).string ?? ""
            return (name, JSONValue(document, yyjson_obj_iter_get_val(key)))
        }
    }
}
