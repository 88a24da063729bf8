// The layer HTTPServer is being written.
