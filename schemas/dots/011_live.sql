-- What is told of changes, and configuration: the truth about both is here, Redis has the copies.

-- A card has the state of the highest rule that it fulfils.
CREATE TABLE dots.evolution_rules (
    state text PRIMARY KEY,
    connections_min int NOT NULL DEFAULT 0 CHECK (connections_min >= 0),
    dimensions_min int NOT NULL DEFAULT 0 CHECK (dimensions_min >= 0),
    rank int NOT NULL UNIQUE
);
COMMENT ON TABLE dots.evolution_rules IS
    'When a card reaches which state; configuration, the same for all users';
COMMENT ON COLUMN dots.evolution_rules.connections_min IS
    'Least number of connections in the graph';
COMMENT ON COLUMN dots.evolution_rules.dimensions_min IS
    'Least number of dimensions in which the card has grown';
COMMENT ON COLUMN dots.evolution_rules.rank IS 'Of the rules that a card fulfils, the highest holds';
INSERT INTO dots.evolution_rules (state, connections_min, dimensions_min, rank) VALUES
    ('seed', 0, 0, 1),
    ('sprout', 0, 1, 2),
    ('bloom', 0, 3, 3),
    ('constellation', 5, 0, 4);

CREATE FUNCTION dots.evolution_of(connections bigint, dimensions bigint) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (
    SELECT r.state FROM dots.evolution_rules AS r
    WHERE r.connections_min <= connections AND r.dimensions_min <= dimensions
    ORDER BY r.rank DESC LIMIT 1);

CREATE OR REPLACE VIEW dots.v_card_state AS
SELECT c.entity_id, c.entity_type, c.user_id,
    dots.evolution_of(coalesce(g.degree, 0), coalesce(s.dim_cnt, 0)) AS evolution_state,
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
    'The state of each card by evolution_rules, its connections and the dimensions that grew';

-- The same for one card, by its indexes.
CREATE FUNCTION dots.evolution_state(owner uuid, id uuid, kind text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN dots.evolution_of(
    coalesce((SELECT g.degree FROM dots.graph_connections AS g WHERE g.entity_id = id), 0),
    (SELECT count(*) FROM dots.mv_entity_growth AS e
     WHERE e.entity_id = id AND e.user_id = owner AND e.entity_type = kind AND e.score > 0));

CREATE VIEW dots.message_card_concept AS
SELECT concept_id AS key, user_id AS owner, jsonb_build_object(
    'card_id', concept_id,
    'evolution_state', dots.evolution_state(user_id, concept_id, 'concept')) AS message
FROM dots.concepts;

CREATE VIEW dots.message_card_memory AS
SELECT memory_id AS key, user_id AS owner, jsonb_build_object(
    'card_id', memory_id,
    'evolution_state', dots.evolution_state(user_id, memory_id, 'memory')) AS message
FROM dots.memory_units;

CREATE VIEW dots.message_card_artifact AS
SELECT artifact_id AS key, user_id AS owner, jsonb_build_object(
    'card_id', artifact_id,
    'evolution_state', dots.evolution_state(user_id, artifact_id, 'artifact')) AS message
FROM dots.derived_artifacts;

-- A challenge is called like what it was started from.
CREATE VIEW dots.message_challenge AS
SELECT c.ch_id AS key, c.user_id AS owner, jsonb_build_object(
    'challenge_id', c.ch_id, 'title', t.name) AS message
FROM dots.user_challenges AS c
JOIN dots.challenge_templates AS t ON t.tpl_id = c.tpl_id;

-- Artifacts of the type insight. No column says how urgent one is: attributes may, else normal.
CREATE VIEW dots.message_insight AS
SELECT artifact_id AS key, user_id AS owner, jsonb_build_object(
    'insight_id', artifact_id,
    'urgency', CASE WHEN jsonb_typeof(attributes -> 'urgency') = 'string'
        THEN attributes ->> 'urgency' ELSE 'normal' END,
    'source_entities', dots.reference_ids(source_entities)) AS message
FROM dots.derived_artifacts
WHERE artifact_type = 'insight';

CREATE VIEW dots.live_configuration AS
SELECT 'growth-dimensions' AS name, (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'dim_key', d.dim_key, 'name', d.name, 'description', d.description, 'color', d.color)
        ORDER BY d.place, d.dim_key), '[]')
    FROM dots.dimensions AS d) AS value
UNION ALL
SELECT 'evolution-rules', (
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'state', r.state, 'connections_min', r.connections_min,
        'dimensions_min', r.dimensions_min) ORDER BY r.rank DESC), '[]')
    FROM dots.evolution_rules AS r);
