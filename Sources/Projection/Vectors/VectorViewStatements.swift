internal import Packs
internal import Postgres

/// The SQL around one vector class: its view, and the vectors kept in PostgreSQL.
struct VectorViewStatements: Sendable {
    /// `$1` keys, `$2` pack, `$3` class, `$4` model, `$5` version: key, owner, hash of the text,
    /// and the text where it must be embedded.
    let state: Statement
    /// `$1` keys, `$2` pack, `$3` class: key, properties, vector.
    let objects: Statement
    let firstKeys: Statement
    let nextKeys: Statement
    let absentKeys: Statement

    init(pack: Pack, vectorClass: VectorClass) {
        let view = qualified(pack.name, vectorClass.view)
        state = Statement(
            "vector_state",
            """
            SELECT v.key::text, v.owner::text, encode(h.hash, 'hex'),
                CASE WHEN e.text_hash = h.hash AND e.model = $4 AND e.version = $5 THEN NULL
                    ELSE coalesce(v.text, '') END
            FROM \(view) AS v
            CROSS JOIN LATERAL (
                SELECT sha256(convert_to(coalesce(v.text, ''), 'UTF8')) AS hash) AS h
            LEFT JOIN fourfold.entity_vectors AS e
                ON e.pack = $2 AND e.class = $3 AND e.key = v.key::text
            WHERE v.key = ANY ($1) ORDER BY v.key
            """, isReadOnly: true)
        objects = Statement(
            "vector_objects",
            """
            SELECT v.key::text, v.properties::text, e.embedding::text
            FROM \(view) AS v
            LEFT JOIN fourfold.entity_vectors AS e
                ON e.pack = $2 AND e.class = $3 AND e.key = v.key::text
            WHERE v.key = ANY ($1) ORDER BY v.key
            """, isReadOnly: true)
        firstKeys = Projection.firstKeys(view, "key")
        nextKeys = Projection.nextKeys(view, "key")
        absentKeys = Projection.absentKeys(view, "key")
    }

    // MARK: Kept vectors

    /// Holds the lane's row, so that no other leader can begin while the vectors are written.
    static let lockLane = Statement(
        "vector_lock_lane",
        """
        SELECT 1 FROM fourfold.lanes WHERE pack = $1 AND lane = $2 AND epoch = $3 FOR SHARE
        """)
    /// `$1` pack, `$2` class, `$3` model, `$4` version, `$5` revision, then arrays of text.
    static let keep = Statement(
        "vector_keep",
        """
        INSERT INTO fourfold.entity_vectors AS e
            (pack, class, key, owner, model, version, text_hash, embedding, text_search, revision)
        SELECT $1, $2, r.key, r.owner, $3, $4, decode(r.hash, 'hex'), r.vector::real[],
            to_tsvector('simple', r.text), $5
        FROM unnest($6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
            AS r(key, owner, hash, vector, text)
        ON CONFLICT (pack, class, key) DO UPDATE SET
            owner = EXCLUDED.owner, model = EXCLUDED.model, version = EXCLUDED.version,
            text_hash = EXCLUDED.text_hash, embedding = EXCLUDED.embedding,
            text_search = EXCLUDED.text_search, revision = EXCLUDED.revision, embedded_at = now()
        WHERE e.revision <= EXCLUDED.revision
        """)
    static let forget = Statement(
        "vector_forget",
        """
        DELETE FROM fourfold.entity_vectors
        WHERE pack = $1 AND class = $2 AND key = ANY ($3::text[])
        """)
    static let keptKeys = Statement(
        "vector_kept_keys",
        """
        SELECT key FROM fourfold.entity_vectors WHERE pack = $1 AND class = $2 AND key > $3
        ORDER BY key LIMIT $4::bigint
        """, isReadOnly: true)
    /// `$1` pack, `$2` model, `$3` version: a model that made kept vectors and is another one.
    static let otherModel = Statement(
        "vector_other_model",
        """
        SELECT model, version FROM fourfold.entity_vectors
        WHERE pack = $1 AND (model, version) <> ($2, $3) LIMIT 1
        """, isReadOnly: true)
    /// Numbers in a stored vector: of one model all have the same.
    static let storedWidth = Statement(
        "vector_stored_width",
        "SELECT cardinality(embedding) FROM fourfold.entity_vectors WHERE pack = $1 LIMIT 1",
        isReadOnly: true)
}
