internal import Settings

/// Every setting there is. `docs/CONFIGURATION.md` is checked against this list by a test.
let settingsCatalog: [Setting] = [
    // Stores.
    Setting(
        "DATABASE_URL", .secret, default: nil,
        "PostgreSQL, a libpq URL or conninfo. Required."),
    Setting(
        "REDIS_URL", .secret, default: nil,
        """
        Redis: `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS, or \
        `unix:/path[?db=n]`. Required by `serve`.
        """),
    Setting(
        "REDIS_TLS_CA", .text, default: nil,
        "File of the authorities (PEM) trusted for `rediss://`. Absent: the system's."),
    Setting(
        "REDIS_TLS_CERT", .text, default: nil,
        "File of the certificate (PEM) shown to Redis, with its chain. Absent: none."),
    Setting(
        "REDIS_TLS_KEY", .text, default: nil,
        "File of the private key (PEM) of `REDIS_TLS_CERT`."),
    Setting(
        "NEO4J_URL", .secret, default: nil,
        "Neo4j's HTTP address, e.g. `http://host:7474`. Absent: the embedded graph in PostgreSQL."),
    Setting("NEO4J_USER", .text, default: "neo4j", "User for Neo4j; used when a password is set."),
    Setting(
        "NEO4J_PASSWORD", .secret, default: nil,
        "Password for Neo4j. Absent: no credentials are sent."),
    Setting("NEO4J_DATABASE", .text, default: "neo4j", "Database in Neo4j."),
    Setting(
        "WEAVIATE_URL", .secret, default: nil,
        """
        Weaviate's HTTP address, e.g. `http://host:8080`. Absent: embedded vectors in \
        PostgreSQL.
        """),
    Setting(
        "WEAVIATE_API_KEY", .secret, default: nil,
        "API key for Weaviate. Absent: no credentials are sent."),
    Setting(
        "EMBEDDINGS_URL", .secret, default: nil,
        """
        Base URL of an OpenAI-compatible embeddings API, e.g. `http://host:port/v1`. Absent: the \
        built-in hashing embedder.
        """),
    Setting("EMBEDDINGS_API_KEY", .secret, default: nil, "API key for the embeddings API."),
    Setting(
        "EMBEDDINGS_MODEL", .text, default: "default",
        "Name of the model, sent with each request and kept with each vector."),

    // Serving.
    Setting(
        "FOURFOLD_ROOT", .text, default: ".",
        "Folder that holds `schemas/`, `cypher/` and `weaviate/`."),
    Setting(
        "FOURFOLD_PACKS", .text, default: nil,
        "Packs to serve, separated by commas. Absent: all found."),
    Setting(
        "FOURFOLD_LISTEN", .text, default: "127.0.0.1:8080",
        "`host:port`, `[ipv6]:port` or `unix:/path`."),
    Setting(
        "FOURFOLD_AUTH", .choice(["none", "keys"]), default: "none",
        """
        `none` is refused unless the address is loopback or a Unix socket. Keys are asked for \
        wherever there are any, whatever stands here.
        """),
    Setting(
        "FOURFOLD_SERVICE_KEYS", .secret, default: nil,
        "`name:sha256,…`: names of services and the SHA-256 of their keys, hexadecimal."),
    Setting(
        "FOURFOLD_LOOPS", .integer(1...64, unit: "loops"), default: nil,
        "Event loops that serve, one thread each. Absent: one for each core, at most 8."),
    Setting(
        "FOURFOLD_START_TIMEOUT", .duration(.seconds(1)...(.seconds(600))), default: "30s",
        "How long `serve` and `migrate` wait for PostgreSQL at the start."),
    Setting(
        "FOURFOLD_LOG_LEVEL", .choice(["debug", "info", "warning", "error"]), default: "info",
        "Least level that is logged."),

    // Limits.
    Setting(
        "FOURFOLD_REQUEST_TIMEOUT", .duration(.milliseconds(10)...(.seconds(300))), default: "5s",
        "Deadline of one request; a client can shorten it by `Request-Timeout`."),
    Setting(
        "FOURFOLD_BODY_MAX", .byteCount(1_024...(1 << 30)), default: "1MiB",
        "Greatest body of a request."),
    Setting(
        "FOURFOLD_HEADER_MAX", .byteCount(1_024...(1 << 20)), default: "16KiB",
        "Greatest header section of a request."),
    Setting(
        "FOURFOLD_TARGET_MAX", .byteCount(256...(1 << 20)), default: "8KiB",
        "Longest path and query of a request."),
    Setting(
        "FOURFOLD_CONNECTIONS_MAX", .integer(1...1_000_000, unit: "connections"), default: "20000",
        "Client connections of one loop."),
    Setting(
        "FOURFOLD_HEADER_TIMEOUT", .duration(.milliseconds(100)...(.seconds(300))), default: "10s",
        "Time for a whole header section to arrive."),
    Setting(
        "FOURFOLD_BODY_TIMEOUT", .duration(.milliseconds(100)...(.seconds(600))), default: "30s",
        "Time for a whole body to arrive after its header section."),
    Setting(
        "FOURFOLD_IDLE_TIMEOUT", .duration(.seconds(1)...(.seconds(3600))), default: "75s",
        "Time without a request after which a connection is closed."),
    Setting(
        "FOURFOLD_DRAIN_TIMEOUT", .duration(.milliseconds(100)...(.seconds(300))), default: "20s",
        "Time for running requests to end when the gateway is stopped."),
    Setting(
        "FOURFOLD_ROWS_MAX", .integer(1...100_000, unit: "rows"), default: "1000",
        "Greatest `limit` of a list; also the rows of one array or batch."),
    Setting(
        "FOURFOLD_EXCLUSIVE_CONNECTIONS", .integer(1...1_000, unit: "connections"), default: "8",
        "PostgreSQL connections of one loop for lists, search and transactions."),
    Setting(
        "FOURFOLD_RATE_LIMIT", .text, default: nil,
        """
        Requests of one client address: `600/60s` (units `s`, `m`, `h`, `d`) or `off`. Absent: \
        `off` on loopback and a Unix socket, else `6000/60s`.
        """),
    Setting(
        "FOURFOLD_RATE_LIMIT_OWNER", .text, default: "off",
        "Requests on behalf of one owner (`Fourfold-User`), from all addresses: as above."),
    Setting(
        "FOURFOLD_TRUSTED_PROXIES", .text, default: nil,
        """
        Networks, addresses and `unix`, separated by commas: proxies whose `Forwarded` or \
        `X-Forwarded-For` tells the client's address. Absent: nobody's does.
        """),

    // Channels.
    Setting(
        "FOURFOLD_CHANNEL_HISTORY", .integer(1...1_000_000, unit: "entries"), default: "1000",
        "Messages kept for each channel, for listeners that resume."),
    Setting(
        "FOURFOLD_CHANNEL_RETENTION", .duration(.seconds(1)...(.seconds(30 * 86_400))),
        default: "1h",
        "How long the history of a channel stays after its last message."),
    Setting(
        "FOURFOLD_MESSAGE_MAX", .byteCount(256...(1 << 20)), default: "64KiB",
        """
        Greatest message of a channel; larger ones of other Redis clients are not delivered to \
        streams.
        """),
    Setting(
        "FOURFOLD_EVENTS_MAX", .integer(1...1_000_000, unit: "streams"), default: "50000",
        "Streams of events of this process."),
    Setting(
        "FOURFOLD_EVENTS_CHANNELS_MAX", .integer(1...1_000, unit: "channels"), default: "100",
        "Channels of one stream."),
    Setting(
        "FOURFOLD_EVENTS_HEARTBEAT", .duration(.milliseconds(100)...(.seconds(300))),
        default: "15s",
        "Time between two signs of life of a stream."),
    Setting(
        "FOURFOLD_EVENTS_RETRY", .duration(.milliseconds(1)...(.seconds(300))), default: "2s",
        "What streams tell a client to wait before it connects again."),
    Setting(
        "FOURFOLD_EVENTS_QUEUE_MAX", .byteCount(4_096...(64 << 20)), default: "256KiB",
        "Unsent bytes of one stream; a reader that falls further behind is dropped."),
    Setting(
        "FOURFOLD_CORS_ORIGINS", .text, default: nil,
        """
        Origins whose pages may call, separated by commas, e.g. `https://app.example.org`, or \
        `*`. Absent: none.
        """),

    // Live state.
    Setting(
        "FOURFOLD_STATE_MAX", .byteCount(64...(1 << 20)), default: "64KiB",
        "Greatest body of a write to a state, and greatest value that is shown."),
    Setting(
        "FOURFOLD_HISTORY_BACKLOG_MAX", .integer(1...10_000_000, unit: "writes"),
        default: "100000",
        "Writes of one state that may wait for their history; then 503 `history_full`."),

    // Projection.
    Setting("FOURFOLD_LANES", .flag, default: "on", "Whether this process may lead lanes."),
    Setting(
        "FOURFOLD_LAG_BUDGET", .duration(.seconds(1)...(.seconds(86_400))), default: nil,
        "Writes answer 503 while the graph or vector lane lags by more. Absent: never."),
    Setting(
        "FOURFOLD_EXPORT_EVERY", .duration(.seconds(1)...(.seconds(30 * 86_400))), default: nil,
        "`serve` exports connections at this interval, where `FOURFOLD_LANES` is on. Absent: only "
            + "the command does."),
]
