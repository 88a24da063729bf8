import Projection
import Testing

@Suite("RelativeScoreFusion")
struct RelativeScoreFusionTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let vector: [(String, Double)]
        let keyword: [(String, Double)]
        let alpha: Double
        let expected: [(String, Double)]
    }

    static let cases: [Case] = [
        Case(testDescription: "nothing", vector: [], keyword: [], alpha: 0.5, expected: []),
        Case(
            testDescription: "one list: stretched", vector: [("a", 1.5), ("b", 1), ("c", 0.5)],
            keyword: [], alpha: 1, expected: [("a", 1), ("b", 0.5), ("c", 0)]),
        Case(
            testDescription: "both lists agree", vector: [("a", 0.9), ("b", 0.1)],
            keyword: [("a", 7), ("b", 3)], alpha: 0.5, expected: [("a", 1), ("b", 0)]),
        Case(
            testDescription: "weights", vector: [("a", 1), ("b", 0)],
            keyword: [("b", 5), ("a", 1)], alpha: 0.25, expected: [("b", 0.75), ("a", 0.25)]),
        Case(
            testDescription: "weight 0 leaves a list out", vector: [("a", 1)],
            keyword: [("b", 5)], alpha: 0, expected: [("b", 1)]),
        Case(
            testDescription: "equal scores: by key", vector: [("b", 0.5), ("a", 0.5)],
            keyword: [], alpha: 1, expected: [("a", 1), ("b", 1)]),
    ]

    @Test("fusion", arguments: cases)
    func fuse(_ each: Case) {
        func hits(_ list: [(String, Double)]) -> [VectorHit] {
            list.map { VectorHit(entity: "e", className: "C", key: $0.0, score: $0.1) }
        }
        let fused = RelativeScoreFusion.fuse(
            vector: hits(each.vector), keyword: hits(each.keyword), alpha: each.alpha)
        #expect(fused == hits(each.expected))
    }
}
