// The layer Projection is being written.
