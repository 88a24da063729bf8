import Projection
import Testing

@Suite("BatchBisector")
struct BatchBisectorTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let rowCount: Int
        let poison: Set<Int>
        let requestCountMax: Int

        init(_ name: String, _ rowCount: Int, _ poison: Set<Int>, requestCountMax: Int) {
            testDescription = name
            self.rowCount = rowCount
            self.poison = poison
            self.requestCountMax = requestCountMax
        }
    }

    static let cases: [Case] = [
        Case("no row", 0, [], requestCountMax: 0),
        Case("one row, poison", 1, [0], requestCountMax: 1),
        Case("refused together, passed apart", 2, [], requestCountMax: 2),
        Case("first of many", 1_000, [0], requestCountMax: 22),
        Case("last of many", 1_000, [999], requestCountMax: 22),
        Case("two far apart", 1_000, [3, 700], requestCountMax: 44),
        Case("all poison", 7, [0, 1, 2, 3, 4, 5, 6], requestCountMax: 14),
    ]

    @Test("poison ends alone, the others are applied once and in order", arguments: cases)
    func bisect(_ each: Case) {
        var bisector = BatchBisector(rowCount: each.rowCount)
        var applied: [Int] = []
        var requestCount = 0
        while let range = bisector.next() {
            requestCount += 1
            if each.poison.isDisjoint(with: range) {
                applied.append(contentsOf: range)
                bisector.passed()
            } else {
                bisector.refused()
            }
        }
        #expect(applied == (0..<each.rowCount).filter { !each.poison.contains($0) })
        #expect(bisector.poison == each.poison.sorted())
        #expect(requestCount <= each.requestCountMax)
    }
}
