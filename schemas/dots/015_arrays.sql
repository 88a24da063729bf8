-- PostgreSQL takes an array of several dimensions for any array column, and array_remove() does
-- not: such a row could be written and not be projected. Its elements count, in their order.

CREATE FUNCTION dots.flat_array(list text[]) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN ARRAY(
    SELECT element FROM unnest(list) WITH ORDINALITY AS e(element, place)
    WHERE element IS NOT NULL ORDER BY place);

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
    || dots.growth_properties(user_id, memory_id, 'memory') AS properties
FROM dots.memory_units;

CREATE OR REPLACE VIEW dots.node_reflection AS
SELECT reflection_id AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'title', title, 'content', content, 'reflection_type', reflection_type,
    'sentiment', CASE WHEN abs(sentiment) < 1e15 THEN sentiment END,
    'tags', dots.flat_array(tags),
    'created_at', fourfold.rfc3339(created_at),
    'updated_at', fourfold.rfc3339(updated_at))) AS properties
FROM dots.reflections;
