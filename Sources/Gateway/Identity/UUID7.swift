internal import Runtime

/// Makes version 7 UUIDs (RFC 9562 §5.7): 48 bits of Unix milliseconds, then random bits, so that
/// new rows land side by side in an index.
enum UUID7 {
    /// A new UUID as 36 lower-case characters.
    static func make() -> String {
        var generator = SystemRandomNumberGenerator()
        let milliseconds = UInt64(epochMilliseconds())
        let high = milliseconds << 16 | 0x7000 | generator.next() & 0x0FFF
        let low = 0x8000_0000_0000_0000 | generator.next() >> 2
        return text(high, low)
    }

    /// New UUIDs in ascending order, so that rows of one array sort as they were sent.
    static func make(count: Int) -> [String] { (0..<count).map { _ in make() }.sorted() }

    private static func text(_ high: UInt64, _ low: UInt64) -> String {
        String(unsafeUninitializedCapacity: 36) { buffer in
            var position = 0
            for index in 0..<16 {
                if index == 4 || index == 6 || index == 8 || index == 10 {
                    buffer[position] = UInt8(ascii: "-")
                    position += 1
                }
                let word = index < 8 ? high : low
                let byte = UInt8(truncatingIfNeeded: word >> UInt64(56 - 8 * (index % 8)))
                buffer[position] = hexDigit(byte >> 4)
                buffer[position + 1] = hexDigit(byte & 15)
                position += 2
            }
            return position
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }
}
