/// Halves a batch that a store refuses until the rows that it refuses are alone.
///
/// Pure: the caller applies ``next()`` and reports. Rows that pass are applied once; a refused row
/// costs about `2 * log2(n)` requests.
package struct BatchBisector: Sendable {
    /// Ranges still to be tried, the next one last.
    private var ranges: [Range<Int>]
    /// Rows that were refused alone.
    package private(set) var poison: [Int] = []

    /// - Parameter rowCount: Rows of the batch that was refused as a whole.
    package init(rowCount: Int) {
        ranges = rowCount > 0 ? BatchBisector.halves(0..<rowCount).reversed() : []
    }

    /// The next rows to apply; nil when every row passed or is poison.
    package func next() -> Range<Int>? { ranges.last }

    /// The range of ``next()`` was applied.
    package mutating func passed() { ranges.removeLast() }

    /// The range of ``next()`` was refused. True if that leaves one row, which is poison.
    @discardableResult
    package mutating func refused() -> Bool {
        let range = ranges.removeLast()
        if range.count == 1 {
            poison.append(range.lowerBound)
            return true
        }
        ranges.append(contentsOf: BatchBisector.halves(range).reversed())
        return false
    }

    private static func halves(_ range: Range<Int>) -> [Range<Int>] {
        if range.count == 1 { return [range] }
        let middle = range.lowerBound + range.count / 2
        return [range.lowerBound..<middle, middle..<range.upperBound]
    }
}
