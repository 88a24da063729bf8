// The layer Weaviate is being written.
