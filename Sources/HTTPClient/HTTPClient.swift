// The layer HTTPClient is being written.
