// The layer Neo4j is being written.
