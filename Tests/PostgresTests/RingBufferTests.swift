import Testing

@testable import Postgres

@Suite("RingBuffer")
struct RingBufferTests {
    @Test("keeps order while it wraps and grows")
    func order() {
        var buffer = RingBuffer<Int>(minimumCapacity: 4)
        var expected: [Int] = []
        var seen: [Int] = []
        for number in 0..<1_000 {
            buffer.append(number)
            expected.append(number)
            if number % 3 == 0, let first = buffer.removeFirst() { seen.append(first) }
        }
        #expect(buffer.removeAll { $0 % 2 == 1 }.allSatisfy { $0 % 2 == 1 })
        buffer.update(0) { $0 += 1_000_000 }
        let first = buffer.removeFirst()
        #expect(first == 1_000_334)
        seen += buffer.removeAll()
        #expect(seen == expected.filter { $0 < 334 || ($0 % 2 == 0 && $0 > 334) })
        #expect(buffer.isEmpty)
    }
}
