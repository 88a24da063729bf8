internal import Glibc

/// A value for `$n`, sent in PostgreSQL's text format; the server infers its type.
package enum Parameter: Sendable {
    case null
    case text(String)
    /// The text format of a value as UTF-8 bytes (a JSON body for a `jsonb` parameter).
    case bytes([UInt8])
    case int(Int64)
    case bool(Bool)
    case double(Double)
}

/// A reused buffer that holds the parameters of one statement as the C strings libpq wants.
final class ParameterBuffer {
    /// A buffer that grew beyond this for one large body is given back after it.
    private static let byteCountKeptMax = 1 << 20

    private var bytes: UnsafeMutablePointer<CChar>
    private var byteCapacity = 4_096
    private var byteCount = 0
    private var offsets: [Int] = []
    private var pointers: UnsafeMutablePointer<UnsafePointer<CChar>?>
    private var pointerCapacity = 32

    init() {
        bytes = .allocate(capacity: byteCapacity)
        pointers = .allocate(capacity: pointerCapacity)
    }

    deinit {
        bytes.deallocate()
        pointers.deallocate()
    }

    /// Calls `body` with libpq's array of values.
    ///
    /// - Returns: nil if a value contains NUL, which a PostgreSQL text value cannot hold and a C
    ///   string would cut off in silence.
    func withValues<Result>(
        _ parameters: [Parameter],
        _ body: (CInt, UnsafePointer<UnsafePointer<CChar>?>) -> Result
    ) -> Result? {
        byteCount = 0
        offsets.removeAll(keepingCapacity: true)
        for parameter in parameters {
            guard append(parameter) else { return nil }
        }
        if offsets.count > pointerCapacity {
            pointers.deallocate()
            pointerCapacity = offsets.count
            pointers = .allocate(capacity: pointerCapacity)
        }
        for index in offsets.indices {
            let offset = offsets[index]
            pointers[index] = offset < 0 ? nil : UnsafePointer(bytes + offset)
        }
        let result = body(CInt(offsets.count), UnsafePointer(pointers))
        if byteCapacity > ParameterBuffer.byteCountKeptMax {
            bytes.deallocate()
            byteCapacity = 4_096
            bytes = .allocate(capacity: byteCapacity)
        }
        return result
    }

    private func append(_ parameter: Parameter) -> Bool {
        switch parameter {
        case .null:
            offsets.append(-1)
            return true
        case .text(var text):
            return text.withUTF8 { append($0) }
        case .bytes(let value):
            return value.withUnsafeBufferPointer { append($0) }
        case .int(let value):
            return append(value)
        case .bool(let value):
            return append(value ? "t" : "f")
        case .double(let value):
            var text = "\(value)"
            return text.withUTF8 { append($0) }
        }
    }

    private func append(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
        reserve(value.count + 1)
        offsets.append(byteCount)
        let start = bytes + byteCount
        if let source = value.baseAddress, value.count > 0 {
            memcpy(start, source, value.count)
            if memchr(start, 0, value.count) != nil { return false }
        }
        start[value.count] = 0
        byteCount += value.count + 1
        return true
    }

    private func append(_ text: StaticString) -> Bool {
        append(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private func append(_ value: Int64) -> Bool {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var magnitude = value.magnitude
            var start = digits.count
            repeat {
                start -= 1
                digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: magnitude % 10)
                magnitude /= 10
            } while magnitude > 0
            if value < 0 {
                start -= 1
                digits[start] = UInt8(ascii: "-")
            }
            return append(UnsafeBufferPointer(rebasing: UnsafeBufferPointer(digits)[start...]))
        }
    }

    private func reserve(_ count: Int) {
        guard byteCount + count > byteCapacity else { return }
        byteCapacity = max(byteCapacity * 2, byteCount + count)
        let larger = UnsafeMutablePointer<CChar>.allocate(capacity: byteCapacity)
        memcpy(larger, bytes, byteCount)
        bytes.deallocate()
        bytes = larger
    }
}
