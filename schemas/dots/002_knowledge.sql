-- Knowledge entities: concepts, memories, artifacts, and what they are tagged with.

CREATE TABLE dots.concepts (
    concept_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    description text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    attributes jsonb NOT NULL DEFAULT '{}',
    source varchar(64) DEFAULT 'user',
    status varchar(32) DEFAULT 'active',
    CONSTRAINT unique_concept_per_user UNIQUE (user_id, name)
);
COMMENT ON TABLE dots.concepts IS 'Ideas, themes and interests';
COMMENT ON COLUMN dots.concepts.source IS 'Where the concept came from: user, import, an agent';
CREATE INDEX idx_concepts_user ON dots.concepts (user_id);
CREATE INDEX idx_concepts_created ON dots.concepts (user_id, created_at);

CREATE TABLE dots.memory_units (
    memory_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    title varchar(255) NOT NULL,
    content text NOT NULL,
    memory_type varchar(64) NOT NULL,
    occurred_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    location jsonb,
    people jsonb[] DEFAULT '{}',
    emotions jsonb[] DEFAULT '{}',
    media_urls text[] DEFAULT '{}',
    attributes jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON TABLE dots.memory_units IS 'Things that happened, as the user tells them';
COMMENT ON COLUMN dots.memory_units.location IS '{"lat":…,"lng":…} and what else is known';
COMMENT ON COLUMN dots.memory_units.people IS
    'Who took part, as told; people with a row of their own are INVOLVES relationships';
COMMENT ON COLUMN dots.memory_units.emotions IS 'Strings, or objects with a name or label';
CREATE INDEX idx_memory_user ON dots.memory_units (user_id);
CREATE INDEX idx_memory_created ON dots.memory_units (user_id, created_at);
CREATE INDEX idx_memory_occurred ON dots.memory_units (user_id, occurred_at);

CREATE TABLE dots.derived_artifacts (
    artifact_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    title varchar(255) NOT NULL,
    description text,
    artifact_type varchar(64) NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    source_entities jsonb[] NOT NULL DEFAULT '{}',
    attributes jsonb NOT NULL DEFAULT '{}',
    thumbnail_url varchar(1024)
);
COMMENT ON TABLE dots.derived_artifacts IS 'Things made from other entities, trophies among them';
COMMENT ON COLUMN dots.derived_artifacts.source_entities IS '[{"type":"memory","id":"…"}]';
CREATE INDEX idx_artifacts_user ON dots.derived_artifacts (user_id);
CREATE INDEX idx_artifacts_created ON dots.derived_artifacts (user_id, created_at);

CREATE TABLE dots.tags (
    tag_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    type varchar(64) NOT NULL DEFAULT 'topic',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT unique_tag_per_user UNIQUE (user_id, name)
);
COMMENT ON TABLE dots.tags IS 'Words that entities are TAGGED_WITH';

CREATE TABLE dots.people (
    person_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    relationship varchar(255),
    attributes jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE dots.people IS 'Persons that memories INVOLVE';
COMMENT ON COLUMN dots.people.relationship IS 'What the person is to the user: sister, colleague';
CREATE INDEX idx_people_user ON dots.people (user_id, name);

CREATE TABLE dots.locations (
    location_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    name varchar(255) NOT NULL,
    latitude double precision CHECK (latitude BETWEEN -90 AND 90),
    longitude double precision CHECK (longitude BETWEEN -180 AND 180),
    attributes jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT whole_coordinates CHECK ((latitude IS NULL) = (longitude IS NULL))
);
COMMENT ON TABLE dots.locations IS 'Places where memories HAPPENED_AT';
COMMENT ON COLUMN dots.locations.latitude IS 'Degrees, WGS 84';
COMMENT ON COLUMN dots.locations.longitude IS 'Degrees, WGS 84';
CREATE INDEX idx_locations_user ON dots.locations (user_id, name);
