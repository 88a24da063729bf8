internal import Neo4j
internal import Settings
internal import Weaviate

extension ServePlan {
    var neo4j: Neo4jConfiguration? { neo4jConfiguration(settings) }
    var weaviate: WeaviateConfiguration? { weaviateConfiguration(settings) }
}

/// Nil where Neo4j is not configured.
func neo4jConfiguration(_ settings: Settings) -> Neo4jConfiguration? {
    guard let url = settings.text("NEO4J_URL") else { return nil }
    let password = settings.text("NEO4J_PASSWORD")
    return Neo4jConfiguration(
        url: url, user: password == nil ? nil : settings.text("NEO4J_USER"),
        password: password ?? "", database: settings.text("NEO4J_DATABASE") ?? "neo4j")
}

/// Nil where Weaviate is not configured.
func weaviateConfiguration(_ settings: Settings) -> WeaviateConfiguration? {
    settings.text("WEAVIATE_URL").map {
        WeaviateConfiguration(url: $0, apiKey: settings.text("WEAVIATE_API_KEY"))
    }
}
