-- The six-dimensional growth model: an append-only stream of events, and challenges.

CREATE TABLE dots.dimensions (
    dim_key text PRIMARY KEY,
    name text NOT NULL,
    description text NOT NULL,
    color text NOT NULL CHECK (color ~ '^#[0-9A-Fa-f]{6}$'),
    place int NOT NULL
);
COMMENT ON TABLE dots.dimensions IS
    'Names and colours of growth dimensions; configuration, so events may use other keys';
INSERT INTO dots.dimensions VALUES
    ('self_know', 'Know self', 'Understanding oneself', '#6C5CE7', 1),
    ('self_act', 'Act for self', 'Looking after oneself', '#00B894', 2),
    ('self_show', 'Show self', 'Expressing oneself', '#E17055', 3),
    ('world_know', 'Know world', 'Understanding the world', '#0984E3', 4),
    ('world_act', 'Act in world', 'Changing the world', '#FDCB6E', 5),
    ('world_show', 'Show world', 'Sharing with the world', '#D63031', 6);

CREATE TABLE dots.growth_events (
    event_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    entity_id uuid NOT NULL,
    entity_type text NOT NULL CHECK (entity_type IN ('concept', 'memory', 'artifact')),
    dim_key text NOT NULL,
    delta double precision NOT NULL CHECK (delta > '-Infinity' AND delta < 'Infinity'),
    source text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE dots.growth_events IS 'Evidence of growth (append-only)';
COMMENT ON COLUMN dots.growth_events.entity_id IS
    'What grew; the event stays in the history when that entity is deleted';
COMMENT ON COLUMN dots.growth_events.dim_key IS 'self_know, self_act, self_show, world_know, …';
COMMENT ON COLUMN dots.growth_events.delta IS '+0.1, -0.05, …';
COMMENT ON COLUMN dots.growth_events.source IS 'journal_entry, challenge_complete, migration, …';
CREATE INDEX idx_growth_events_entity
    ON dots.growth_events (entity_id, dim_key, created_at DESC);
CREATE INDEX idx_growth_events_user ON dots.growth_events (user_id, created_at);

CREATE TABLE dots.challenge_templates (
    tpl_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    description text,
    dim_keys text[],
    difficulty text CHECK (difficulty IN ('easy', 'medium', 'hard')),
    payload jsonb
);
COMMENT ON TABLE dots.challenge_templates IS 'Challenges that can be started; shared by all users';
COMMENT ON COLUMN dots.challenge_templates.dim_keys IS 'The dimensions that the challenge drives';
COMMENT ON COLUMN dots.challenge_templates.payload IS 'Parameters of the task';

CREATE TABLE dots.user_challenges (
    ch_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tpl_id uuid NOT NULL REFERENCES dots.challenge_templates (tpl_id),
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    status text NOT NULL DEFAULT 'active',
    started_at timestamptz DEFAULT now(),
    due_at timestamptz,
    completed_at timestamptz,
    progress jsonb DEFAULT '{}'
);
COMMENT ON TABLE dots.user_challenges IS 'A user''s challenges';
COMMENT ON COLUMN dots.user_challenges.progress IS 'e.g. {"days_logged":5}';
CREATE INDEX idx_user_challenges_user ON dots.user_challenges (user_id, status);
CREATE INDEX idx_user_challenges_active ON dots.user_challenges (due_at) WHERE status = 'active';
CREATE INDEX idx_user_challenges_template ON dots.user_challenges (tpl_id);

-- {"self_know":0.4} + {"self_know":0.1,"self_act":1}: numeric, so sums are exact in any order.
CREATE FUNCTION dots.add_scores(scores jsonb, more jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(scores, '{}') || coalesce((
    SELECT jsonb_object_agg(m.key,
        m.value::numeric + coalesce((scores ->> m.key)::numeric, 0))
    FROM jsonb_each(more) AS m), '{}');

-- users.growth_profile follows the events. Rows are locked in key order against deadlocks.
CREATE FUNCTION dots.add_growth_to_profile() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM dots.users AS u
    WHERE u.user_id IN (SELECT n.user_id FROM new_rows AS n)
    ORDER BY u.user_id FOR NO KEY UPDATE;
    UPDATE dots.users AS u
    SET growth_profile = dots.add_scores(u.growth_profile, g.more)
    FROM (
        SELECT s.user_id, jsonb_object_agg(s.dim_key, s.delta) AS more
        FROM (
            SELECT n.user_id, n.dim_key, sum(n.delta::numeric) AS delta
            FROM new_rows AS n GROUP BY n.user_id, n.dim_key) AS s
        GROUP BY s.user_id) AS g
    WHERE u.user_id = g.user_id;
    RETURN NULL;
END $$;
CREATE TRIGGER growth_profile AFTER INSERT ON dots.growth_events
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dots.add_growth_to_profile();

-- A plain view: always the truth, whatever its name promises (the seed had it materialised).
CREATE VIEW dots.mv_entity_growth AS
SELECT user_id, entity_id, entity_type, dim_key,
    sum(delta::numeric)::double precision AS score
FROM dots.growth_events
GROUP BY user_id, entity_id, entity_type, dim_key;
COMMENT ON VIEW dots.mv_entity_growth IS 'Growth of each entity per dimension';
