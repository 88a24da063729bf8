// The layer Gateway is being written.
