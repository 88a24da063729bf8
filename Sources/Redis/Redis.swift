// The layer Redis is being written.
