-- Annotations, reflections, conversations with Dot, and the Orb's history.

CREATE TABLE dots.annotations (
    aid uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    target_id uuid NOT NULL,
    target_node_type varchar(64) NOT NULL,
    annotation_type varchar(64) NOT NULL,
    text_content text,
    media_url varchar(1024),
    source varchar(64) DEFAULT 'user',
    creation_ts timestamptz NOT NULL DEFAULT now(),
    last_modified_ts timestamptz,
    metadata jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE dots.annotations IS 'Notes on other entities; REFERENCES them in the graph';
COMMENT ON COLUMN dots.annotations.target_id IS
    'Any entity; it is in the graph while that entity exists and has the same owner';
CREATE INDEX idx_annotations_user ON dots.annotations (user_id);
CREATE INDEX idx_annotations_target ON dots.annotations (target_id, target_node_type);

CREATE TABLE dots.reflections (
    reflection_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    title varchar(255),
    content text NOT NULL,
    reflection_type varchar(64) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    related_entities jsonb[] DEFAULT '{}',
    sentiment double precision,
    insights jsonb[] DEFAULT '{}',
    tags text[] DEFAULT '{}',
    metadata jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE dots.reflections IS 'What the user or Dot made of it';
COMMENT ON COLUMN dots.reflections.related_entities IS '[{"type":"concept","id":"…"}]';
CREATE INDEX idx_reflections_user ON dots.reflections (user_id);
CREATE INDEX idx_reflections_created ON dots.reflections (user_id, created_at);

CREATE TABLE dots.conversations (
    conversation_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    title varchar(255),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    status varchar(32) DEFAULT 'active',
    context jsonb DEFAULT '{}',
    metadata jsonb DEFAULT '{}',
    UNIQUE (conversation_id, user_id)
);
COMMENT ON TABLE dots.conversations IS 'Conversations between a user and Dot';
CREATE INDEX idx_conversations_user ON dots.conversations (user_id);
CREATE INDEX idx_conversations_created ON dots.conversations (user_id, created_at);

CREATE TABLE dots.conversation_messages (
    message_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    conversation_id uuid NOT NULL,
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    role varchar(32) NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
    content text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    metadata jsonb DEFAULT '{}',
    referenced_entities jsonb[] DEFAULT '{}',
    CONSTRAINT conversation_messages_conversation FOREIGN KEY (conversation_id, user_id)
        REFERENCES dots.conversations (conversation_id, user_id) ON DELETE CASCADE
);
COMMENT ON TABLE dots.conversation_messages IS 'Messages; of the owner of their conversation';
COMMENT ON COLUMN dots.conversation_messages.referenced_entities IS
    '[{"type":"memory","id":"…"}]';
CREATE INDEX idx_messages_conversation
    ON dots.conversation_messages (conversation_id, created_at, message_id);
CREATE INDEX idx_messages_user ON dots.conversation_messages (user_id, created_at);

CREATE TABLE dots.orb_states (
    state_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    visual_state varchar(64) NOT NULL,
    emotional_tone varchar(64) NOT NULL,
    energy_level double precision NOT NULL CHECK (energy_level >= 0 AND energy_level <= 1),
    is_speaking boolean DEFAULT false,
    position jsonb,
    effects jsonb[] DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    context jsonb DEFAULT '{}'
);
COMMENT ON TABLE dots.orb_states IS
    'History of the Orb (append-only); its present state is in Redis';
CREATE INDEX idx_orb_states_user ON dots.orb_states (user_id);
CREATE INDEX idx_orb_states_created ON dots.orb_states (created_at);
