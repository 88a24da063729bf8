import Projection
import Testing

@Suite("HashingEmbedder")
struct HashingEmbedderTests {
    private let embedder = HashingEmbedder()

    private func similarity(_ left: String, _ right: String) -> Float {
        zip(embedder.vector(left), embedder.vector(right)).reduce(0) { $0 + $1.0 * $1.1 }
    }

    @Test(
        "vectors have length 1",
        arguments: ["garden", "Grüße, 世界!", String(repeating: "word ", count: 20_000)])
    func length(_ text: String) {
        #expect(abs(similarity(text, text) - 1) < 1e-5)
        #expect(embedder.vector(text).count == HashingEmbedder.dimensionCount)
    }

    @Test("no letters, no direction", arguments: ["", " ", "?!…"])
    func empty(_ text: String) {
        #expect(embedder.vector(text).allSatisfy { $0 == 0 })
    }

    @Test("case, order and punctuation do not matter")
    func normalisation() {
        #expect(similarity("My garden, in SPRING", "spring in my Garden!") > 0.999)
    }

    @Test("shared words and pieces of words are nearer than none")
    func order() {
        let query = "gardening in spring"
        let exact = similarity(query, "we were gardening in spring")
        let piece = similarity(query, "the garden was dry")
        let none = similarity(query, "quarterly tax filing deadline")
        #expect(exact > piece)
        #expect(piece > none)
    }

    @Test("the same on every platform")
    func golden() {
        let vector = embedder.vector("ab")
        let set = vector.enumerated().filter { $0.element != 0 }
        #expect(set.count == 3)
        #expect(set.map(\.offset) == HashingEmbedderTests.goldenDimensions)
    }

    /// Of "ab": its word and the trigrams " ab" and "ab ".
    static let goldenDimensions = [37, 114, 228]
}
