-- Users, their sessions and what they did. Postgres schema of the pack: dots.

CREATE SCHEMA dots;

CREATE FUNCTION dots.touch_last_modified() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.last_modified_ts := now();
    RETURN NEW;
END $$;

CREATE TABLE dots.users (
    user_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    username varchar(255) NOT NULL UNIQUE,
    email varchar(255) NOT NULL UNIQUE,
    password_hash varchar(255) NOT NULL,
    display_name varchar(255),
    profile_picture_url varchar(1024),
    created_at timestamptz NOT NULL DEFAULT now(),
    last_login_at timestamptz,
    preferences jsonb DEFAULT '{}',
    is_active boolean DEFAULT true,
    region varchar(64) NOT NULL,
    growth_profile jsonb DEFAULT '{}',
    CONSTRAINT proper_email CHECK (email ~* '^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+[.][A-Za-z]+$')
);
COMMENT ON TABLE dots.users IS 'People who keep a journal; each owns all of their rows';
COMMENT ON COLUMN dots.users.password_hash IS 'Written, never read back';
COMMENT ON COLUMN dots.users.preferences IS 'Settings of the user interface';
COMMENT ON COLUMN dots.users.region IS 'Where the user''s data is kept';
COMMENT ON COLUMN dots.users.growth_profile IS
    'Sum of growth per dimension, e.g. {"self_know":0.4}; kept up to date by growth events';

CREATE TABLE dots.user_sessions (
    session_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    device_info jsonb NOT NULL,
    ip_address varchar(45),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL DEFAULT now() + interval '3 days',
    last_active_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (session_id, user_id),
    CONSTRAINT valid_session_length CHECK (expires_at > created_at)
);
COMMENT ON TABLE dots.user_sessions IS 'Sessions on devices; the live part is in Redis';
CREATE INDEX idx_user_sessions_user ON dots.user_sessions (user_id);

CREATE TABLE dots.user_activity_log (
    log_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    activity_type varchar(64) NOT NULL,
    "timestamp" timestamptz NOT NULL DEFAULT now(),
    details jsonb NOT NULL DEFAULT '{}',
    session_id uuid,
    CONSTRAINT user_activity_log_session FOREIGN KEY (session_id, user_id)
        REFERENCES dots.user_sessions (session_id, user_id) ON DELETE SET NULL (session_id)
);
COMMENT ON TABLE dots.user_activity_log IS 'What users did (append-only)';
COMMENT ON COLUMN dots.user_activity_log.session_id IS
    'A session of the same user; null once the session is gone';
CREATE INDEX idx_user_activity_type ON dots.user_activity_log (user_id, activity_type);
CREATE INDEX idx_user_activity_timestamp ON dots.user_activity_log (user_id, "timestamp");
CREATE INDEX idx_user_activity_session ON dots.user_activity_log (session_id);
