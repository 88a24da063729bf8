// The layer Packs is being written.
