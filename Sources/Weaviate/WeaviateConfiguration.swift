package import HTTPClient

/// Where the vector store is, and the bounds of one call.
package struct WeaviateConfiguration: Sendable {
    /// `http:` or `https:` and the authority, e.g. `http://127.0.0.1:8080`.
    package var url: String
    /// Sent as a bearer token; nil where the server takes anonymous calls.
    package var apiKey: String?
    /// Objects of one batch; a longer one is refused as too large.
    package var batchObjectCountMax = 500
    /// Bytes of one request body.
    package var requestByteCountMax = 16 << 20
    /// Bytes of one answer; a batch's answer repeats its objects with their vectors.
    package var responseByteCountMax = 64 << 20
    package var breaker = CircuitBreaker.Configuration()

    package init(url: String, apiKey: String? = nil) {
        self.url = url
        self.apiKey = apiKey
    }
}
