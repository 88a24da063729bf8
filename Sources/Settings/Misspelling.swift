/// A variable of the environment whose name is probably meant to be that of a setting.
package struct Misspelling: Equatable, Sendable {
    package let name: String
    package let meant: String

    /// Those of `names` that begin like our own, are no setting, and become one by adding, leaving
    /// out or changing a letter, or by exchanging two neighbours. Others may belong to anybody.
    package static func find(_ names: [String], catalog: [Setting]) -> [Misspelling] {
        let known = catalog.map(\.name)
        return names.filter { $0.hasPrefix("FOURFOLD_") && !known.contains($0) }.sorted()
            .compactMap { name in
                known.first { isOneSlip(Array(name.utf8), Array($0.utf8)) }
                    .map { Misspelling(name: name, meant: $0) }
            }
    }

    private static func isOneSlip(_ one: [UInt8], _ other: [UInt8]) -> Bool {
        let start = zip(one, other).prefix { $0 == $1 }.count
        let (left, right) = (one[start...], other[start...])
        if left.dropFirst() == right || left == right.dropFirst() { return true }
        if left.dropFirst() == right.dropFirst() { return true }
        return left.count == right.count && left.count >= 2
            && left.prefix(2).reversed() == Array(right.prefix(2))
            && left.dropFirst(2) == right.dropFirst(2)
    }
}
