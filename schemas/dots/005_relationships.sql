-- Relationships. Their ends are polymorphic, so every entity that can be an end is registered in
-- one table: real foreign keys then hold for SQL by hand, bulk loads and races, an id is unique
-- over all entities (they share one graph), and deleting an entity deletes its relationships.

CREATE TABLE dots.entity_kinds (
    entity text PRIMARY KEY,
    entity_type text NOT NULL UNIQUE,
    relation regclass NOT NULL,
    key_column text NOT NULL
);
COMMENT ON TABLE dots.entity_kinds IS 'The entities that can be an end of a relationship';
INSERT INTO dots.entity_kinds VALUES
    ('users', 'user', 'dots.users', 'user_id'),
    ('concepts', 'concept', 'dots.concepts', 'concept_id'),
    ('memories', 'memory', 'dots.memory_units', 'memory_id'),
    ('artifacts', 'artifact', 'dots.derived_artifacts', 'artifact_id'),
    ('tags', 'tag', 'dots.tags', 'tag_id'),
    ('people', 'person', 'dots.people', 'person_id'),
    ('locations', 'location', 'dots.locations', 'location_id'),
    ('annotations', 'annotation', 'dots.annotations', 'aid'),
    ('reflections', 'reflection', 'dots.reflections', 'reflection_id'),
    ('conversations', 'conversation', 'dots.conversations', 'conversation_id');

CREATE TABLE dots.entities (
    id uuid PRIMARY KEY,
    entity text NOT NULL,
    owner uuid NOT NULL
);
COMMENT ON TABLE dots.entities IS 'Who owns which id; kept by triggers of the entities'' tables';

DO $$
DECLARE
    kind record;
BEGIN
    FOR kind IN SELECT * FROM dots.entity_kinds LOOP
        EXECUTE format($f$
CREATE FUNCTION dots.register_%1$s() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $register$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO dots.entities SELECT %2$I, %1$L, user_id FROM new_rows;
    ELSIF TG_OP = 'UPDATE' THEN
        UPDATE dots.entities SET id = NEW.%2$I WHERE id = OLD.%2$I;
    ELSIF TG_OP = 'DELETE' THEN
        DELETE FROM dots.entities WHERE id IN (SELECT %2$I FROM old_rows);
    ELSE
        DELETE FROM dots.entities WHERE entity = %1$L;
    END IF;
    RETURN NULL;
END $register$;
CREATE TRIGGER register_insert AFTER INSERT ON %3$s REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dots.register_%1$s();
CREATE TRIGGER register_key AFTER UPDATE OF %2$I ON %3$s FOR EACH ROW
    WHEN (OLD.%2$I IS DISTINCT FROM NEW.%2$I) EXECUTE FUNCTION dots.register_%1$s();
CREATE TRIGGER register_delete AFTER DELETE ON %3$s REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION dots.register_%1$s();
CREATE TRIGGER register_truncate AFTER TRUNCATE ON %3$s
    FOR EACH STATEMENT EXECUTE FUNCTION dots.register_%1$s();
$f$, kind.entity, kind.key_column, kind.relation);
    END LOOP;
END $$;

CREATE TABLE dots.relationship_types (
    type text PRIMARY KEY,
    description text NOT NULL,
    is_derived boolean NOT NULL DEFAULT false,
    to_entities text[]
);
COMMENT ON TABLE dots.relationship_types IS 'What relationships can say';
COMMENT ON COLUMN dots.relationship_types.is_derived IS
    'Follows from the rows of the entities and cannot be written';
COMMENT ON COLUMN dots.relationship_types.to_entities IS 'What it can point to; null: anything';
INSERT INTO dots.relationship_types (type, description, is_derived, to_entities) VALUES
    ('RELATED_TO', 'General relationship between nodes', false, NULL),
    ('PART_OF', 'Hierarchical relationship', false, NULL),
    ('CREATED', 'A user created an entity', true, NULL),
    ('EXPERIENCED', 'A user experienced a memory', true, NULL),
    ('REFERENCES', 'An entity refers to another', false, NULL),
    ('EVOLVED_FROM', 'An entity evolved from another', false, NULL),
    ('HAPPENED_AT', 'Where an event happened', false, '{locations}'),
    ('INVOLVES', 'Who took part in an event', false, '{people,users}'),
    ('TAGGED_WITH', 'What an entity is tagged with', false, '{tags}'),
    ('INSPIRED_BY', 'Creative inspiration', false, NULL),
    ('CONTRADICTS', 'Logical contradiction', false, NULL),
    ('SUPPORTS', 'Supporting evidence', false, NULL);

CREATE TABLE dots.relationships (
    relationship_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES dots.users (user_id) ON DELETE CASCADE,
    type text NOT NULL,
    from_entity text NOT NULL,
    from_id uuid NOT NULL REFERENCES dots.entities (id) ON DELETE CASCADE ON UPDATE CASCADE,
    to_entity text NOT NULL,
    to_id uuid NOT NULL REFERENCES dots.entities (id) ON DELETE CASCADE ON UPDATE CASCADE,
    properties jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(properties) = 'object'),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE dots.relationships IS 'Edges of the knowledge graph';
COMMENT ON COLUMN dots.relationships.user_id IS 'The owner of both ends; may be left out';
COMMENT ON COLUMN dots.relationships.type IS
    'RELATED_TO, PART_OF, REFERENCES, EVOLVED_FROM, HAPPENED_AT, INVOLVES, TAGGED_WITH, '
    'INSPIRED_BY, CONTRADICTS or SUPPORTS';
COMMENT ON COLUMN dots.relationships.from_entity IS 'Entity of from_id; may be left out';
COMMENT ON COLUMN dots.relationships.to_entity IS 'Entity of to_id; may be left out';
CREATE INDEX idx_relationships_user ON dots.relationships (user_id, created_at);
CREATE INDEX idx_relationships_from ON dots.relationships (from_id, type);
CREATE INDEX idx_relationships_to ON dots.relationships (to_id, type);

-- Owner and entity of an id never change while it is registered, and the foreign keys hold the
-- ends against a concurrent delete, so reading them here without a lock is enough. A missing end
-- and another owner's end get the same answer: nothing is disclosed.
CREATE FUNCTION dots.check_relationship() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rule dots.relationship_types;
    from_end dots.entities;
    to_end dots.entities;
BEGIN
    IF NEW.type IS NULL OR NEW.from_id IS NULL OR NEW.to_id IS NULL THEN
        RETURN NEW; -- NOT NULL refuses it and names the column.
    END IF;
    SELECT * INTO rule FROM dots.relationship_types AS t WHERE t.type = NEW.type;
    SELECT * INTO from_end FROM dots.entities AS e WHERE e.id = NEW.from_id;
    SELECT * INTO to_end FROM dots.entities AS e WHERE e.id = NEW.to_id;
    NEW.user_id := coalesce(NEW.user_id, from_end.owner);
    NEW.from_entity := coalesce(NEW.from_entity, from_end.entity);
    NEW.to_entity := coalesce(NEW.to_entity, to_end.entity);
    IF rule.type IS NULL OR rule.is_derived THEN
        RAISE EXCEPTION USING ERRCODE = 'FF422',
            MESSAGE = 'no relationship of this type can be written',
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = 'type';
    ELSIF from_end.id IS NULL OR from_end.owner IS DISTINCT FROM NEW.user_id
        OR from_end.entity IS DISTINCT FROM NEW.from_entity THEN
        RAISE EXCEPTION USING ERRCODE = 'FF421',
            MESSAGE = 'the entity that the relationship starts from does not exist for this owner',
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = 'from_id';
    ELSIF to_end.id IS NULL OR to_end.owner IS DISTINCT FROM NEW.user_id
        OR to_end.entity IS DISTINCT FROM NEW.to_entity THEN
        RAISE EXCEPTION USING ERRCODE = 'FF421',
            MESSAGE = 'the entity that the relationship points to does not exist for this owner',
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = 'to_id';
    ELSIF NOT coalesce(NEW.to_entity = ANY (rule.to_entities), true) THEN
        RAISE EXCEPTION USING ERRCODE = 'FF422',
            MESSAGE = 'a relationship of this type cannot point to this entity',
            SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = 'to_entity';
    END IF;
    RETURN NEW;
END $$;
-- The name puts it behind fourfold_owner, whose refusal of another owner comes first.
CREATE TRIGGER relationship_rules
    BEFORE INSERT OR UPDATE OF user_id, type, from_entity, from_id, to_entity, to_id
    ON dots.relationships FOR EACH ROW EXECUTE FUNCTION dots.check_relationship();

-- updated_at moves when the row does, not with an UPDATE that changes nothing.
DO $$
DECLARE
    relation regclass;
BEGIN
    FOR relation IN
        SELECT a.attrelid FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
        WHERE a.attname = 'updated_at' AND c.relkind = 'r'
            AND c.relnamespace = 'dots'::regnamespace
    LOOP
        EXECUTE format('CREATE TRIGGER touch BEFORE UPDATE ON %s FOR EACH ROW
            WHEN (OLD.* IS DISTINCT FROM NEW.*)
            EXECUTE FUNCTION fourfold.touch_updated_at()', relation);
    END LOOP;
END $$;
CREATE TRIGGER touch BEFORE UPDATE ON dots.annotations FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION dots.touch_last_modified();
