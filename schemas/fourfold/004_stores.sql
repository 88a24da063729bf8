-- What the lanes keep in PostgreSQL beside their cursors.

CREATE TABLE fourfold.parked (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pack text NOT NULL,
    lane text NOT NULL,
    entity text NOT NULL,
    key text NOT NULL,
    error text NOT NULL,
    attempts int NOT NULL DEFAULT 1,
    first_failed_at timestamptz NOT NULL DEFAULT now(),
    next_retry_at timestamptz NOT NULL,
    xids xid8[] NOT NULL DEFAULT '{}',
    UNIQUE (pack, lane, entity, key)
);
CREATE INDEX parked_by_retry ON fourfold.parked (pack, lane, next_retry_at);
COMMENT ON TABLE fourfold.parked IS
    'Keys that a store refuses; their lane goes on without them';
COMMENT ON COLUMN fourfold.parked.error IS 'A code and a store''s reason, never a row''s value';
COMMENT ON COLUMN fourfold.parked.xids IS
    'The transactions that made the key dirty: their tokens are not applied (the newest 1000)';

-- Parks a key, or counts one more attempt. Unless the lane is led by `p_epoch`: false.
CREATE FUNCTION fourfold.park(
    p_pack text, p_lane text, p_epoch bigint, p_entity text, p_key text, p_error text,
    p_retry_in interval, p_xids xid8[]
) RETURNS boolean
LANGUAGE sql AS $$
    WITH parked AS (
        INSERT INTO fourfold.parked AS p
            (pack, lane, entity, key, error, next_retry_at, xids)
        SELECT p_pack, p_lane, p_entity, p_key, p_error, clock_timestamp() + p_retry_in, p_xids
        FROM fourfold.lanes AS l
        WHERE l.pack = p_pack AND l.lane = p_lane AND l.epoch = p_epoch
        ON CONFLICT (pack, lane, entity, key) DO UPDATE SET
            error = EXCLUDED.error, attempts = p.attempts + 1,
            next_retry_at = EXCLUDED.next_retry_at,
            xids = ARRAY(
                SELECT DISTINCT x FROM unnest(p.xids || EXCLUDED.xids) AS x
                ORDER BY x DESC LIMIT 1000)
        RETURNING 1)
    SELECT EXISTS (SELECT FROM parked)
$$;

-- Vectors are kept here too: a vector store can be rebuilt without the embedder, an unchanged
-- text is never embedded twice, and search answers while the vector store is away.
CREATE TABLE fourfold.entity_vectors (
    pack text NOT NULL,
    class text NOT NULL,
    key text NOT NULL,
    owner text,
    model text NOT NULL,
    version text NOT NULL,
    text_hash bytea NOT NULL,
    embedding real[] NOT NULL,
    text_search tsvector NOT NULL,
    revision bigint NOT NULL,
    embedded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pack, class, key)
);
CREATE INDEX entity_vectors_by_owner ON fourfold.entity_vectors (pack, class, owner);
CREATE INDEX entity_vectors_text ON fourfold.entity_vectors USING gin (text_search);
COMMENT ON COLUMN fourfold.entity_vectors.text_hash IS
    'Hash of the embedded text: equal hash, model and version need no new embedding';
COMMENT ON COLUMN fourfold.entity_vectors.embedding IS
    'Of unit length: the cosine is the dot product';

-- Dot product of two vectors of the same width; the exact search where pgvector is not installed.
CREATE FUNCTION fourfold.dot(a real[], b real[]) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT sum(x::double precision * y) FROM unnest(a, b) AS v(x, y));

-- One line an export of connection counts: when, and what it saw.
CREATE TABLE fourfold.exports (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pack text NOT NULL,
    exported_at timestamptz NOT NULL DEFAULT now(),
    watermark bigint NOT NULL,
    nodes bigint NOT NULL,
    edges bigint NOT NULL,
    changed bigint NOT NULL,
    unknown bigint NOT NULL,
    seconds double precision NOT NULL
);
CREATE INDEX exports_by_pack ON fourfold.exports (pack, exported_at DESC);
COMMENT ON COLUMN fourfold.exports.watermark IS
    'The highest revision that was in the graph when the export began';

-- RFC 3339 in UTC with microseconds, for graph and vector stores. Null stays null.
CREATE FUNCTION fourfold.rfc3339(moment timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

-- The strings that stand for the elements of a JSON list: a string itself, or the first of the
-- named members of an object. Elements without one are left out.
CREATE FUNCTION fourfold.names_of(elements jsonb[], VARIADIC members text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(
    SELECT name
    FROM unnest(elements) WITH ORDINALITY AS e(element, place)
    CROSS JOIN LATERAL (
        SELECT CASE jsonb_typeof(element)
            WHEN 'string' THEN element #>> '{}'
            WHEN 'object' THEN (
                SELECT element ->> m FROM unnest(members) WITH ORDINALITY AS o(m, n)
                WHERE element ->> m IS NOT NULL ORDER BY n LIMIT 1) END AS name) AS named
    WHERE name IS NOT NULL
    ORDER BY place);

-- A JSON object as properties of a graph: scalars and lists of one kind stay, everything else
-- becomes its JSON text under <name>_json: jsonb writes large numbers as integers, and a graph
-- store refuses those beyond 64 bits. Nulls, empty names and the engine's own names go.
CREATE FUNCTION fourfold.flat_properties(properties jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce((
    SELECT jsonb_object_agg(
        CASE WHEN is_plain THEN p.key ELSE p.key || '_json' END,
        CASE WHEN is_plain THEN p.value ELSE to_jsonb(p.value::text) END)
    FROM jsonb_each(properties) AS p
    CROSS JOIN LATERAL (SELECT jsonb_typeof(p.value) AS kind) AS k
    CROSS JOIN LATERAL (
        SELECT CASE kind
            WHEN 'number' THEN abs(p.value::numeric) < 9223372036854775807
            WHEN 'array' THEN (
                SELECT count(*) = 0 OR count(DISTINCT member) = 1
                    AND min(member) IN ('string', 'boolean', 'integer', 'float')
                FROM jsonb_array_elements(p.value) AS e
                CROSS JOIN LATERAL (
                    SELECT CASE WHEN jsonb_typeof(e) <> 'number' THEN jsonb_typeof(e)
                        WHEN abs(e::numeric) >= 9223372036854775807 THEN 'huge'
                        WHEN e::text ~ '[.]' THEN 'float' ELSE 'integer' END AS member) AS m)
            ELSE kind IN ('string', 'boolean') END AS is_plain) AS s
    WHERE kind <> 'null' AND p.key <> ''
        AND p.key <> ALL ('{id,user_id,anchor,edge_set,revision,applied_at,_lock}')), '{}');
