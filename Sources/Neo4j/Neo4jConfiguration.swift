package import HTTPClient

/// Where the graph store is, and the bounds of one call.
package struct Neo4jConfiguration: Sendable {
    /// `http:` or `https:` and the authority, e.g. `http://127.0.0.1:7474`.
    package var url: String
    /// Nil where the server asks for no credentials.
    package var user: String?
    package var password: String
    package var database: String
    /// Bytes of one request body. The server takes 60 MB and more; a batch should be a few.
    package var requestByteCountMax = 32 << 20
    /// Bytes of one answer.
    package var responseByteCountMax = 64 << 20
    package var breaker = CircuitBreaker.Configuration()

    package init(
        url: String, user: String? = nil, password: String = "", database: String = "neo4j"
    ) {
        self.url = url
        self.user = user
        self.password = password
        self.database = database
    }
}
