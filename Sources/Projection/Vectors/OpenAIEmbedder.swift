package import HTTPClient
internal import JSON
package import Runtime

/// Asks any endpoint that speaks OpenAI's `POST /v1/embeddings`. Belongs to the client's loop.
package final class OpenAIEmbedder: Embedder, @unchecked Sendable {
    package let batchSizeMax = 64
    /// Longer texts are cut: models take some 8,000 tokens and refuse the rest.
    private static let textByteCountMax = 16_384
    /// Bytes of one answer: 64 vectors of 4,096 numbers with room to spare.
    private static let responseByteCountMax = 16 << 20

    private let http: GuardedHTTPClient
    private let url: String
    private let headers: [(name: String, value: String)]
    private let known: Lock<EmbeddingModel>

    /// - Parameters:
    ///   - baseURL: As OpenAI's clients take it, e.g. `http://host:port/v1`.
    ///   - version: Stands beside each vector; change it when the endpoint changes under one name.
    package init(
        client: HTTPClient, baseURL: String, apiKey: String?, model: String,
        version: String = "1", breaker: CircuitBreaker.Configuration = .init()
    ) {
        http = GuardedHTTPClient(client: client, breaker: breaker)
        var base = Substring(baseURL)
        while base.hasSuffix("/") { base = base.dropLast() }
        url = "\(base)/embeddings"
        var headers = [(name: "Content-Type", value: "application/json")]
        if let apiKey { headers.append(("Authorization", "Bearer \(apiKey)")) }
        self.headers = headers
        known = Lock(EmbeddingModel(name: model, version: version, dimensionCount: nil))
    }

    /// The width is known after the first answer.
    package var model: EmbeddingModel { known.withLock { $0 } }

    package var breakerState: CircuitBreaker.State { http.breakerState }

    package func embed(
        _ texts: [String], deadline: Deadline
    ) async throws(EmbedderError) -> [[Float]] {
        precondition(texts.count <= batchSizeMax, "more texts than one request takes")
        if texts.isEmpty { return [] }
        let request = HTTPClientRequest(
            .post, url, headers: headers, body: body(texts), deadline: deadline,
            responseByteCountMax: OpenAIEmbedder.responseByteCountMax)
        let response: HTTPClientResponse
        do throws(GuardedHTTPClient.Failure) {
            response = try await http.send(request)
        } catch {
            throw .unavailable
        }
        switch response.status {
        case 200: return try vectors(response.body, count: texts.count)
        case 408, 429, 500...: throw .unavailable
        default: throw .refused(status: response.status)
        }
    }

    private func body(_ texts: [String]) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.field("model", model.name)
        json.field("encoding_format", "float")
        json.key("input")
        json.beginArray()
        // Endpoints refuse an empty input; a space has no meaning either.
        for text in texts { json.string(text.isEmpty ? " " : OpenAIEmbedder.cut(text)) }
        json.endArray()
        json.endObject()
        return json.bytes
    }

    private static func cut(_ text: String) -> String {
        guard text.utf8.count > textByteCountMax else { return text }
        var end = text.utf8.index(text.startIndex, offsetBy: textByteCountMax)
        while text.utf8[end] & 0xC0 == 0x80 { end = text.utf8.index(before: end) }
        return String(text[..<end])
    }

    private func vectors(_ body: [UInt8], count: Int) throws(EmbedderError) -> [[Float]] {
        guard let document = try? JSONDocument.parse(body, numbers: .decoded),
            let data = document.root["data"], data.count == count
        else { throw .malformedAnswer }
        var vectors = [[Float]](repeating: [], count: count)
        for (position, element) in data.elements.enumerated() {
            let index = element["index"]?.int.map { Int($0) } ?? position
            guard vectors.indices.contains(index), let floats = element["embedding"]?.floats,
                !floats.isEmpty
            else { throw .malformedAnswer }
            vectors[index] = normalised(floats)
        }
        let width = vectors.first?.count ?? 0
        guard vectors.allSatisfy({ $0.count == width }) else { throw .malformedAnswer }
        let expected = known.withLock { model in
            if model.dimensionCount == nil { model.dimensionCount = width }
            return model.dimensionCount ?? width
        }
        if expected != width { throw .widthChanged(expected: expected, actual: width) }
        return vectors
    }
}

/// Scaled to length 1, as the store of vectors wants it; a zero vector stays.
func normalised(_ vector: [Float]) -> [Float] {
    let length = vector.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return length == 0 || !length.isFinite ? vector : vector.map { $0 / length }
}
