// The layer Postgres is being written.
