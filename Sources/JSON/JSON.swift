// The layer JSON is being written.
