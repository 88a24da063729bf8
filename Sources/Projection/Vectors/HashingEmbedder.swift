package import Runtime

/// The built-in embedder: deterministic and lexical. It finds shared words and shared pieces of
/// words (so "gardening" is near "garden"), not shared meaning.
///
/// Each word and each run of three characters of a word is hashed to a dimension and a sign; a
/// feature's weight grows with the square root of its count (exact in IEEE 754, so that vectors
/// are the same on every platform); the vector has length 1.
package struct HashingEmbedder: Embedder {
    package static let dimensionCount = 256
    /// A shared word counts as much as some four shared trigrams.
    private static let wordWeight: Float = 2
    private static let trigramWeight: Float = 0.5
    /// Longer texts are cut: the tail of a very long text changes a bag of words little.
    private static let textByteCountMax = 65_536

    package let model = EmbeddingModel(
        name: "fourfold-hash", version: "1", dimensionCount: HashingEmbedder.dimensionCount)
    package let batchSizeMax = 256

    package init() {}

    package func embed(
        _ texts: [String], deadline: Deadline
    ) async throws(EmbedderError) -> [[Float]] {
        texts.map(vector)
    }

    /// The vector of one text. All zero only for a text without letters and digits.
    package func vector(_ text: String) -> [Float] {
        var counts: [UInt64: (count: Float, weight: Float)] = [:]
        for word in HashingEmbedder.words(text) {
            counts[fnv1a(word, seed: 1), default: (0, HashingEmbedder.wordWeight)].count += 1
            let padded = [0x20] + word + [0x20]
            guard padded.count > 3 else { continue }
            for start in 0...(padded.count - 3) {
                let hash = fnv1a(padded[start..<(start + 3)], seed: 2)
                counts[hash, default: (0, HashingEmbedder.trigramWeight)].count += 1
            }
        }
        // Hashes in order: floating-point sums depend on it, and a dictionary has none.
        var vector = [Float](repeating: 0, count: HashingEmbedder.dimensionCount)
        for (hash, feature) in counts.sorted(by: { $0.key < $1.key }) {
            let dimension = Int(hash % UInt64(HashingEmbedder.dimensionCount))
            let sign: Float = hash >> 63 == 0 ? 1 : -1
            vector[dimension] += sign * feature.weight * feature.count.squareRoot()
        }
        return normalised(vector)
    }

    /// Runs of letters and digits in lower case, as Unicode scalars.
    private static func words(_ text: String) -> [[UInt32]] {
        var words: [[UInt32]] = []
        var word: [UInt32] = []
        for scalar in String(decoding: text.utf8.prefix(textByteCountMax), as: UTF8.self)
            .lowercased().unicodeScalars
        {
            let properties = scalar.properties
            if properties.isAlphabetic || properties.numericType != nil {
                word.append(scalar.value)
            } else if !word.isEmpty {
                words.append(word)
                word.removeAll(keepingCapacity: true)
            }
        }
        if !word.isEmpty { words.append(word) }
        return words
    }
}

/// FNV-1a over the four bytes of each scalar, with a final mix so that the high bits are good too.
private func fnv1a<Scalars: Sequence<UInt32>>(_ scalars: Scalars, seed: UInt64) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ seed
    for scalar in scalars {
        for shift in stride(from: UInt32(0), to: 32, by: 8) {
            hash = (hash ^ UInt64(scalar >> shift & 0xFF)) &* 0x0000_0100_0000_01B3
        }
    }
    hash ^= hash >> 33
    hash = hash &* 0xff51_afd7_ed55_8ccd
    return hash ^ (hash >> 33)
}
