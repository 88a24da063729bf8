-- What the lanes read of each row, made cheaper: a node took PostgreSQL 0.5 ms, of which 0.01 are
-- left. PostgreSQL writes an SQL function into the statement that calls it if it is one expression
-- that asks no table; any other it starts anew for each row, and one that such a function calls it
-- even plans anew for each row.

-- Without STRICT, which forbids a CASE to be written into the statement.
CREATE OR REPLACE FUNCTION dots.nearest_double(number numeric) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN abs(number) < 1e-300 THEN 0
    WHEN abs(number) > 1e300 THEN sign(number) * 1e300
    ELSE number END::double precision;

CREATE OR REPLACE FUNCTION dots.coordinate(location jsonb, short text, long text, bound int)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(coalesce(location -> short, location -> long)) = 'number' THEN
    CASE WHEN abs(coalesce(location ->> short, location ->> long)::numeric) <= bound
        THEN dots.nearest_double(coalesce(location ->> short, location ->> long)::numeric) END
    END;

CREATE OR REPLACE FUNCTION dots.reference_ids(refs jsonb[]) RETURNS uuid[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(
    SELECT DISTINCT lower(id)::uuid
    FROM unnest(refs) AS r(ref)
    CROSS JOIN LATERAL (
        SELECT CASE jsonb_typeof(ref)
            WHEN 'string' THEN ref #>> '{}'
            WHEN 'object' THEN coalesce(ref ->> 'id', ref ->> 'entity_id') END AS id) AS named
    WHERE id ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
    ORDER BY 1);

-- Growth scores of each entity as node properties: growth_self_know, …
CREATE VIEW dots.growth_properties AS
SELECT user_id, entity_id, entity_type,
    fourfold.flat_properties(jsonb_object_agg('growth_' || dim_key, score)) AS properties
FROM dots.mv_entity_growth
GROUP BY user_id, entity_id, entity_type;

CREATE OR REPLACE VIEW dots.node_concept AS
SELECT concept_id AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'name', name, 'description', description, 'source', source, 'status', status,
    'attributes_json', nullif(attributes, '{}')::text,
    'created_at', fourfold.rfc3339(created_at), 'updated_at', fourfold.rfc3339(updated_at)))
    || coalesce((
        SELECT g.properties FROM dots.growth_properties AS g
        WHERE g.entity_id = concept_id AND g.user_id = concepts.user_id
            AND g.entity_type = 'concept'), '{}') AS properties
FROM dots.concepts;

CREATE OR REPLACE VIEW dots.node_memory_unit AS
SELECT memory_id AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'title', title, 'content', content, 'memory_type', memory_type,
    'emotions', fourfold.names_of(emotions, 'name', 'label', 'emotion', 'type'),
    'people', fourfold.names_of(people, 'name', 'label'),
    'media_urls', dots.flat_array(media_urls),
    'latitude', dots.coordinate(location, 'lat', 'latitude', 90),
    'longitude', dots.coordinate(location, 'lng', 'longitude', 180),
    'location_json', location::text, 'attributes_json', nullif(attributes, '{}')::text,
    'occurred_at', fourfold.rfc3339(occurred_at),
    'created_at', fourfold.rfc3339(created_at), 'updated_at', fourfold.rfc3339(updated_at)))
    || coalesce((
        SELECT g.properties FROM dots.growth_properties AS g
        WHERE g.entity_id = memory_id AND g.user_id = memory_units.user_id
            AND g.entity_type = 'memory'), '{}') AS properties
FROM dots.memory_units;

CREATE OR REPLACE VIEW dots.node_derived_artifact AS
SELECT artifact_id AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'title', title, 'description', description, 'artifact_type', artifact_type,
    'thumbnail_url', thumbnail_url, 'attributes_json', nullif(attributes, '{}')::text,
    'created_at', fourfold.rfc3339(created_at), 'updated_at', fourfold.rfc3339(updated_at)))
    || coalesce((
        SELECT g.properties FROM dots.growth_properties AS g
        WHERE g.entity_id = artifact_id AND g.user_id = derived_artifacts.user_id
            AND g.entity_type = 'artifact'), '{}') AS properties
FROM dots.derived_artifacts;

-- The view above has its place.
DROP FUNCTION dots.growth_properties(uuid, uuid, text);

CREATE OR REPLACE FUNCTION dots.evolution_state(owner uuid, id uuid, kind text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT r.state FROM dots.evolution_rules AS r
    WHERE r.connections_min <= coalesce((
            SELECT g.degree FROM dots.graph_connections AS g WHERE g.entity_id = id), 0)
        AND r.dimensions_min <= (
            SELECT count(*) FROM dots.mv_entity_growth AS e
            WHERE e.entity_id = id AND e.user_id = owner AND e.entity_type = kind AND e.score > 0)
    ORDER BY r.rank DESC LIMIT 1);
