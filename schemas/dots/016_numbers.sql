-- Numbers that a row may hold and that stopped what reads them: sums beyond a double, coordinates
-- too small for one, and scores beyond the 64 bits of a graph store's integers.

-- The nearest double that is no infinity, or zero.
CREATE FUNCTION dots.nearest_double(number numeric) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE
    WHEN abs(number) < 1e-300 THEN 0
    WHEN abs(number) > 1e300 THEN sign(number) * 1e300
    ELSE number END::double precision;

CREATE OR REPLACE VIEW dots.mv_entity_growth AS
SELECT user_id, entity_id, entity_type, dim_key,
    dots.nearest_double(sum(delta::numeric)) AS score
FROM dots.growth_events
GROUP BY user_id, entity_id, entity_type, dim_key;

CREATE OR REPLACE FUNCTION dots.coordinate(location jsonb, short text, long text, bound int)
RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT dots.nearest_double(n)
    FROM (SELECT CASE jsonb_typeof(coalesce(location -> short, location -> long))
        WHEN 'number' THEN coalesce(location ->> short, location ->> long)::numeric END) AS v(n)
    WHERE abs(n) <= bound);

CREATE OR REPLACE FUNCTION dots.growth_properties(owner uuid, id uuid, kind text) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT fourfold.flat_properties(
        coalesce(jsonb_object_agg('growth_' || g.dim_key, g.score), '{}'))
    FROM dots.mv_entity_growth AS g
    WHERE g.entity_id = id AND g.user_id = owner AND g.entity_type = kind);

CREATE OR REPLACE VIEW dots.node_user AS
SELECT user_id AS key, user_id AS owner, jsonb_strip_nulls(jsonb_build_object(
    'username', username, 'display_name', display_name, 'region', region,
    'is_active', is_active, 'profile_picture_url', profile_picture_url,
    'created_at', fourfold.rfc3339(created_at)))
    || (SELECT fourfold.flat_properties(
            coalesce(jsonb_object_agg('growth_' || g.key, g.value), '{}'))
        FROM jsonb_each(CASE jsonb_typeof(growth_profile) WHEN 'object' THEN growth_profile END)
            AS g
        WHERE jsonb_typeof(g.value) = 'number') AS properties
FROM dots.users;

-- Whatever was written into a profile by hand, an event is taken: it counts from zero there.
CREATE OR REPLACE FUNCTION dots.add_scores(scores jsonb, more jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(scores) = 'object' THEN scores ELSE '{}' END || coalesce((
    SELECT jsonb_object_agg(m.key, m.value::numeric + CASE
        WHEN jsonb_typeof(scores -> m.key) = 'number'
        THEN (scores ->> m.key)::numeric ELSE 0 END)
    FROM jsonb_each(more) AS m), '{}');
