-- Cards: concepts, memories and artifacts with the state that their growth and their connections
-- in the graph give them.

CREATE TABLE dots.graph_connections (
    entity_id uuid PRIMARY KEY REFERENCES dots.entities (id)
        ON DELETE CASCADE ON UPDATE CASCADE,
    entity_type text NOT NULL,
    degree int NOT NULL CHECK (degree >= 0),
    by_type jsonb NOT NULL DEFAULT '{}',
    exported_at timestamptz NOT NULL DEFAULT now(),
    user_id uuid NOT NULL
);
COMMENT ON TABLE dots.graph_connections IS
    'Connections of each entity in the graph store, as the last export counted them';
COMMENT ON COLUMN dots.graph_connections.degree IS
    'Ownership edges (CREATED, EXPERIENCED) do not count';
COMMENT ON COLUMN dots.graph_connections.by_type IS 'e.g. {"RELATED_TO":3,"SUPPORTS":1}';
CREATE INDEX idx_graph_connections_user ON dots.graph_connections (user_id);

-- The export names ids; what and whose they are is filled in. A node that Postgres does not know
-- is skipped (the export counts it as unknown), also when it is deleted meanwhile.
CREATE FUNCTION dots.complete_graph_connection() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT k.entity_type, e.owner INTO NEW.entity_type, NEW.user_id
    FROM dots.entities AS e JOIN dots.entity_kinds AS k ON k.entity = e.entity
    WHERE e.id = NEW.entity_id
    FOR KEY SHARE OF e;
    RETURN CASE WHEN FOUND THEN NEW END;
END $$;
CREATE TRIGGER complete BEFORE INSERT ON dots.graph_connections
    FOR EACH ROW EXECUTE FUNCTION dots.complete_graph_connection();

CREATE VIEW dots.neo4j_connection_stats AS
SELECT entity_id, entity_type, degree, by_type, exported_at FROM dots.graph_connections;
COMMENT ON VIEW dots.neo4j_connection_stats IS
    'graph_connections under the name of the V7 document';

CREATE VIEW dots.v_card_state AS
SELECT c.entity_id, c.entity_type, c.user_id,
    CASE
        WHEN coalesce(g.degree, 0) >= 5 THEN 'constellation'
        WHEN coalesce(s.dim_cnt, 0) >= 3 THEN 'bloom'
        WHEN coalesce(s.dim_cnt, 0) >= 1 THEN 'sprout'
        ELSE 'seed'
    END AS evolution_state,
    coalesce(g.degree, 0) AS connection_count,
    coalesce(s.dim_cnt, 0)::int AS dimension_count
FROM (
    SELECT concept_id AS entity_id, 'concept' AS entity_type, user_id FROM dots.concepts
    UNION ALL
    SELECT memory_id, 'memory', user_id FROM dots.memory_units
    UNION ALL
    SELECT artifact_id, 'artifact', user_id FROM dots.derived_artifacts) AS c
LEFT JOIN dots.graph_connections AS g ON g.entity_id = c.entity_id
LEFT JOIN (
    SELECT user_id, entity_id, entity_type, count(*) AS dim_cnt
    FROM dots.mv_entity_growth
    WHERE score > 0
    GROUP BY user_id, entity_id, entity_type) AS s
    ON s.entity_id = c.entity_id AND s.user_id = c.user_id AND s.entity_type = c.entity_type;
COMMENT ON VIEW dots.v_card_state IS
    'constellation: 5 connections; bloom: 3 dimensions that grew; sprout: 1; else seed';

CREATE VIEW dots.cards AS
SELECT c.entity_id, c.entity_type, c.user_id, c.title, c.description, c.image_url,
    s.evolution_state, s.connection_count, s.dimension_count, c.created_at, c.updated_at
FROM (
    SELECT concept_id AS entity_id, 'concept' AS entity_type, user_id, name AS title,
        description, NULL::varchar(1024) AS image_url, created_at, updated_at
    FROM dots.concepts
    UNION ALL
    SELECT memory_id, 'memory', user_id, title, content, media_urls[1], created_at, updated_at
    FROM dots.memory_units
    UNION ALL
    SELECT artifact_id, 'artifact', user_id, title, description, thumbnail_url, created_at,
        updated_at
    FROM dots.derived_artifacts) AS c
JOIN dots.v_card_state AS s ON s.entity_id = c.entity_id AND s.user_id = c.user_id;
COMMENT ON VIEW dots.cards IS 'The card gallery: concepts, memories and artifacts';
