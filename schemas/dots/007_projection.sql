-- What the graph and the vector store hold. A view of a node label or a vector class gives
-- (key, owner, properties …), a view of an edge set (key, anchor, type, from_key, to_key, owner,
-- properties). Keys keep their own type, so that a lookup by key uses the table's index.

-- The ids that a JSON list refers to: {"id":"…"}, {"entity_id":"…"} or the bare string.
CREATE FUNCTION dots.reference_ids(refs jsonb[]) RETURNS uuid[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ARRAY(
    SELECT DISTINCT lower(id)::uuid
    FROM unnest(fourfold.names_of(refs, 'id', 'entity_id')) AS id
    WHERE id ~* '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
    ORDER BY 1);

CREATE INDEX idx_artifacts_sources
    ON dots.derived_artifacts USING gin (dots.reference_ids(source_entities));
CREATE INDEX idx_reflections_entities
    ON dots.reflections USING gin (dots.reference_ids(related_entities));
CREATE INDEX idx_messages_entities
    ON dots.conversation_messages USING gin (dots.reference_ids(referenced_entities))
    WHERE referenced_entities <> '{}';
CREATE INDEX idx_messages_with_entities
    ON dots.conversation_messages (conversation_id) WHERE referenced_entities <> '{}';

-- A coordinate out of {"lat":…,"lng":…} or {"latitude":…,"longitude":…}, if it is one.
CREATE FUNCTION dots.coordinate(location jsonb, short text, long text, bound int)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT n::double precision
    FROM (SELECT CASE jsonb_typeof(coalesce(location -> short, location -> long))
        WHEN 'number' THEN coalesce(location ->> short, location ->> long)::numeric END) AS v(n)
    WHERE abs(n) <= bound);

-- Growth scores of one entity as node properties: growth_self_know, …
CREATE FUNCTION dots.growth_properties(owner uuid, id uuid, kind text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT coalesce(jsonb_object_agg('growth_' || g.dim_key, g.score), '{}')
    FROM dots.mv_entity_growth AS g
    WHERE g.entity_id = id AND g.user_id = owner AND g.entity_type = kind);

CREATE VIEW dots.node_user AS
SELECT user_id AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'username', username, 'display_name', display_name, 'region', region,
    'is_active', is_active, 'profile_picture_url', profile_picture_url,
    'created_at', fourfold.rfc3339(created_at)))
    || (SELECT coalesce(jsonb_object_agg('growth_' || g.key, g.value), '{}')
        FROM jsonb_each(CASE jsonb_typeof(growth_profile) WHEN 'object' THEN growth_profile END)
            AS g
        WHERE jsonb_typeof(g.value) = 'number') AS properties
FROM dots.users;

CREATE VIEW dots.node_concept AS
SELECT concept_id AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'name', name, 'description', description, 'source', source, 'status', status,
    'attributes_json', nullif(attributes, '{}')::text,
    'created_at', fourfold.rfc3339(created_at), 'updated_at', fourfold.rfc3339(updated_at)))
    || dots.growth_properties(user_id, concept_id, 'concept') AS properties
FROM dots.concepts;

CREATE VIEW dots.node_memory_unit AS
SELECT memory_id AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'title', title, 'content', content, 'memory_type', memory_type,
    'emotions', fourfold.names_of(emotions, 'name', 'label', 'emotion', 'type'),
    'people', fourfold.names_of(people, 'name', 'label'),
    'media_urls', array_remove(media_urls, NULL),
    'latitude', dots.coordinate(location, 'lat', 'latitude', 90),
    'longitude', dots.coordinate(location, 'lng', 'longitude', 180),
    'location_json', location::text, 'attributes_json', nullif(attributes, '{}')::text,
    'occurred_at', fourfold.rfc3339(occurred_at),
    'created_at', fourfold.rfc3339(created_at), 'updated_at', fourfold.rfc3339(updated_at)))
    || dots.growth_properties(user_id, memory_id, 'memory') AS properties
FROM dots.memory_units;

CREATE VIEW dots.node_derived_artifact AS
SELECT artifact_id AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'title', title, 'description', description, 'artifact_type', artifact_type,
    'thumbnail_url', thumbnail_url, 'attributes_json', nullif(attributes, '{}')::text,
    'created_at', fourfold.rfc3339(created_at), 'updated_at', fourfold.rfc3339(updated_at)))
    || dots.growth_properties(user_id, artifact_id, 'artifact') AS properties
FROM dots.derived_artifacts;

CREATE VIEW dots.node_tag AS
SELECT tag_id AS key, user_id AS owner, jsonb_build_object(
    'name', name, 'type', type,
    'created_at', fourfold.rfc3339(created_at)) AS properties
FROM dots.tags;

CREATE VIEW dots.node_person AS
SELECT person_id AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'name', name, 'relationship', relationship,
    'attributes_json', nullif(attributes, '{}')::text,
    'created_at', fourfold.rfc3339(created_at))) AS properties
FROM dots.people;

CREATE VIEW dots.node_location AS
SELECT location_id AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'name', name, 'latitude', latitude, 'longitude', longitude,
    'attributes_json', nullif(attributes, '{}')::text,
    'created_at', fourfold.rfc3339(created_at))) AS properties
FROM dots.locations;

CREATE VIEW dots.node_annotation AS
SELECT aid AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'annotation_type', annotation_type, 'text_content', text_content, 'media_url', media_url,
    'source', source, 'created_at', fourfold.rfc3339(creation_ts))) AS properties
FROM dots.annotations;

CREATE VIEW dots.node_reflection AS
SELECT reflection_id AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'title', title, 'content', content, 'reflection_type', reflection_type,
    'sentiment', CASE WHEN abs(sentiment) < 1e15 THEN sentiment END,
    'tags', array_remove(tags, NULL),
    'created_at', fourfold.rfc3339(created_at),
    'updated_at', fourfold.rfc3339(updated_at))) AS properties
FROM dots.reflections;

CREATE VIEW dots.node_conversation AS
SELECT conversation_id AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'title', title, 'status', status,
    'created_at', fourfold.rfc3339(created_at),
    'updated_at', fourfold.rfc3339(updated_at))) AS properties
FROM dots.conversations;

CREATE VIEW dots.edge_relationship AS
SELECT relationship_id AS key, relationship_id AS anchor, type, from_id AS from_key,
    to_id AS to_key, user_id AS owner,
    fourfold.flat_properties(properties) || jsonb_build_object(
        'created_at', fourfold.rfc3339(created_at)) AS properties
FROM dots.relationships;

CREATE VIEW dots.edge_created_concept AS
SELECT 'CREATED:' || concept_id AS key, concept_id AS anchor, 'CREATED' AS type,
    user_id AS from_key, concept_id AS to_key, user_id AS owner,
    jsonb_build_object('created_at', fourfold.rfc3339(created_at)) AS properties
FROM dots.concepts;

CREATE VIEW dots.edge_created_artifact AS
SELECT 'CREATED:' || artifact_id AS key, artifact_id AS anchor, 'CREATED' AS type,
    user_id AS from_key, artifact_id AS to_key, user_id AS owner,
    jsonb_build_object('created_at', fourfold.rfc3339(created_at)) AS properties
FROM dots.derived_artifacts;

CREATE VIEW dots.edge_created_reflection AS
SELECT 'CREATED:' || reflection_id AS key, reflection_id AS anchor, 'CREATED' AS type,
    user_id AS from_key, reflection_id AS to_key, user_id AS owner,
    jsonb_build_object('created_at', fourfold.rfc3339(created_at)) AS properties
FROM dots.reflections;

CREATE VIEW dots.edge_experienced AS
SELECT 'EXPERIENCED:' || memory_id AS key, memory_id AS anchor, 'EXPERIENCED' AS type,
    user_id AS from_key, memory_id AS to_key, user_id AS owner,
    jsonb_build_object('created_at', fourfold.rfc3339(created_at)) AS properties
FROM dots.memory_units;

-- References are in the graph while what they refer to exists and has the same owner.
CREATE VIEW dots.edge_artifact_source AS
SELECT format('REFERENCES:%s:%s', a.artifact_id, e.id) AS key, a.artifact_id AS anchor,
    'REFERENCES' AS type, a.artifact_id AS from_key, e.id AS to_key, a.user_id AS owner,
    '{}'::jsonb AS properties
FROM dots.derived_artifacts AS a
CROSS JOIN LATERAL unnest(dots.reference_ids(a.source_entities)) AS r(id)
JOIN dots.entities AS e ON e.id = r.id AND e.owner = a.user_id;

CREATE VIEW dots.edge_reflection_entity AS
SELECT format('REFERENCES:%s:%s', f.reflection_id, e.id) AS key, f.reflection_id AS anchor,
    'REFERENCES' AS type, f.reflection_id AS from_key, e.id AS to_key, f.user_id AS owner,
    '{}'::jsonb AS properties
FROM dots.reflections AS f
CROSS JOIN LATERAL unnest(dots.reference_ids(f.related_entities)) AS r(id)
JOIN dots.entities AS e ON e.id = r.id AND e.owner = f.user_id;

CREATE VIEW dots.edge_annotation_target AS
SELECT format('REFERENCES:%s:%s', a.aid, e.id) AS key, a.aid AS anchor,
    'REFERENCES' AS type, a.aid AS from_key, e.id AS to_key, a.user_id AS owner,
    jsonb_build_object('annotation_type', a.annotation_type) AS properties
FROM dots.annotations AS a
JOIN dots.entities AS e ON e.id = a.target_id AND e.owner = a.user_id;

CREATE VIEW dots.edge_conversation_entity AS
SELECT format('REFERENCES:%s:%s', m.conversation_id, e.id) AS key,
    m.conversation_id AS anchor, 'REFERENCES' AS type, m.conversation_id AS from_key,
    e.id AS to_key, m.user_id AS owner,
    jsonb_build_object('mentions', count(*)) AS properties
FROM dots.conversation_messages AS m
CROSS JOIN LATERAL unnest(dots.reference_ids(m.referenced_entities)) AS r(id)
JOIN dots.entities AS e ON e.id = r.id AND e.owner = m.user_id
WHERE m.referenced_entities <> '{}'
GROUP BY m.conversation_id, m.user_id, e.id;

-- evolutionState stays out of the vector store: it is computed, and follows each growth event.
CREATE VIEW dots.vector_user_concept AS
SELECT c.concept_id AS key, c.user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'conceptId', c.concept_id, 'userId', c.user_id, 'name', c.name,
    'description', c.description, 'tags', t.names)) AS properties,
    concat_ws(E'\n', c.name, c.description) AS text
FROM dots.concepts AS c
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(DISTINCT g.name), '[]') AS names
    FROM dots.relationships AS r JOIN dots.tags AS g ON g.tag_id = r.to_id
    WHERE r.from_id = c.concept_id AND r.type = 'TAGGED_WITH') AS t;

CREATE VIEW dots.vector_user_memory AS
SELECT memory_id AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'memoryId', memory_id, 'userId', user_id, 'title', title, 'content', content,
    'memoryType', memory_type, 'occurredAt', fourfold.rfc3339(occurred_at),
    'emotions', fourfold.names_of(emotions, 'name', 'label', 'emotion', 'type'))) AS properties,
    concat_ws(E'\n', title, content) AS text
FROM dots.memory_units;

CREATE VIEW dots.vector_user_artifact AS
SELECT artifact_id AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'artifactId', artifact_id, 'userId', user_id, 'title', title,
    'description', description, 'artifactType', artifact_type,
    'sourceEntities', dots.reference_ids(source_entities))) AS properties,
    concat_ws(E'\n', title, description) AS text
FROM dots.derived_artifacts;

-- One chunk a message; its sequence counts the messages of the conversation up to it.
CREATE VIEW dots.vector_conversation_chunk AS
SELECT m.message_id AS key, m.user_id AS owner, jsonb_build_object(
    'chunkId', m.message_id, 'userId', m.user_id, 'conversationId', m.conversation_id,
    'content', m.content, 'timestamp', fourfold.rfc3339(m.created_at),
    'sequence', (
        SELECT count(*) FROM dots.conversation_messages AS before
        WHERE before.conversation_id = m.conversation_id
            AND (before.created_at, before.message_id) <= (m.created_at, m.message_id)),
    'entities', dots.reference_ids(m.referenced_entities)) AS properties,
    m.content AS text
FROM dots.conversation_messages AS m;
