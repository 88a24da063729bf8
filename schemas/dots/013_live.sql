-- What live state reads: the newest state of one user's Orb.

CREATE INDEX idx_orb_states_user_created ON dots.orb_states (user_id, created_at DESC);
