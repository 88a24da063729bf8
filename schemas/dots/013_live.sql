-- What live state reads: the newest state of one user's Orb.

CREATE INDEX idx_orb_states_user_created ON dots.orb_states (user_id, created_at DESC);

-- What is read through Redis. Each value carries its owner, so that a reader can be refused without
-- asking here again.

CREATE VIEW dots.cache_card_growth AS
SELECT s.entity_id AS key, s.user_id AS owner, jsonb_build_object(
    'card_id', s.entity_id, 'card_type', s.entity_type, 'user_id', s.user_id,
    'evolution_state', s.evolution_state, 'connection_count', s.connection_count,
    'dimension_count', s.dimension_count, 'scores', coalesce((
        SELECT jsonb_object_agg(g.dim_key, g.score) FROM dots.mv_entity_growth AS g
        WHERE g.entity_id = s.entity_id AND g.user_id = s.user_id
            AND g.entity_type = s.entity_type), '{}')) AS value
FROM dots.v_card_state AS s;
COMMENT ON VIEW dots.cache_card_growth IS 'The growth of each card: its scores and its state';

CREATE VIEW dots.cache_challenge_state AS
SELECT u.ch_id AS key, u.user_id AS owner, jsonb_build_object(
    'challenge_id', u.ch_id, 'user_id', u.user_id, 'status', u.status,
    'started_at', u.started_at, 'due_at', u.due_at, 'completed_at', u.completed_at,
    'progress', u.progress, 'template', jsonb_build_object(
        'tpl_id', t.tpl_id, 'name', t.name, 'description', t.description,
        'dim_keys', t.dim_keys, 'difficulty', t.difficulty, 'payload', t.payload)) AS value
FROM dots.user_challenges AS u
JOIN dots.challenge_templates AS t USING (tpl_id);
COMMENT ON VIEW dots.cache_challenge_state IS 'Each challenge of a user with its template';
