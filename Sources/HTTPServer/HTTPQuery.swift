/// The decoded `name=value` pairs of a query, in the client's order, repeated names included.
///
/// Empty pairs are skipped; a pair without `=` has an empty value; `+` is a space.
package struct HTTPQuery: Sequence, IteratorProtocol, Sendable {
    private let head: HTTPRequestHead
    private var position: Int
    private let end: Int

    init(_ head: HTTPRequestHead) {
        self.head = head
        let range = head.target.query ?? 0..<0
        position = range.lowerBound
        end = range.upperBound
    }

    package mutating func next() -> (name: String, value: String)? {
        while position < end {
            let pair = head.bytes[position..<end].prefix { $0 != UInt8(ascii: "&") }
            position = pair.endIndex + 1
            if pair.isEmpty { continue }
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let value = pair[equals...].dropFirst()
            return (decode(pair[..<equals]), decode(value))
        }
        return nil
    }

    private func decode(_ bytes: ArraySlice<UInt8>) -> String {
        bytes.withUnsafeBytes { PercentDecoding.decode($0, plusIsSpace: true) }
    }
}
