-- Expired sessions are found without reading the others.

CREATE INDEX idx_user_sessions_expires ON dots.user_sessions (expires_at);
