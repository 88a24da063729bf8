-- The engine's own schema. Domain packs live in a schema of their own name.
--
-- SQLSTATEs that the engine and its packs raise (class FF); everything else is PostgreSQL's own:
--   FF405  the entity is append-only: UPDATE and DELETE are refused          -> 405
--   FF420  the owner of a row cannot change                                  -> 422
--   FF421  an end of a relationship is missing or belongs to another owner   -> 422
--   FF422  a relationship of this type cannot join these entities, or the
--          type is derived and cannot be written                             -> 422
--   FF500  a pack or the engine was installed wrongly (bad arguments)        -> 500

CREATE SCHEMA IF NOT EXISTS fourfold;

CREATE TABLE IF NOT EXISTS fourfold.migrations (
    pack text NOT NULL,
    file text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (pack, file)
);

-- CACHE 1: maintain_outbox() relies on positions being drawn while the writer runs, never ahead.
CREATE SEQUENCE fourfold.outbox_position AS bigint CACHE 1;

-- A row says which key is dirty, never what to write. The partitions form a ring of four slots,
-- 2^20 positions each: a slot that every lane has done is truncated under a lock on that slot
-- alone, so nothing has to be created ahead, a bulk load can never run out of partitions, and a
-- writer is never held up by DDL on the parent. If the ring wraps before a slot is done, the slot
-- holds two generations and is emptied later.
CREATE TABLE fourfold.outbox (
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    position bigint NOT NULL DEFAULT nextval('fourfold.outbox_position'),
    pack text NOT NULL,
    entity text NOT NULL,
    key text,
    op "char" NOT NULL,
    columns jsonb,
    owner text,
    trace text,
    captured_at timestamptz NOT NULL DEFAULT statement_timestamp()
) PARTITION BY LIST ((position / 1048576 % 4));

ALTER SEQUENCE fourfold.outbox_position OWNED BY fourfold.outbox.position;

COMMENT ON TABLE fourfold.outbox IS
    'Keys that changed, written by the capture triggers in the transaction of the change';
COMMENT ON COLUMN fourfold.outbox.key IS 'null: resynchronise the whole entity';
COMMENT ON COLUMN fourfold.outbox.op IS
    'i inserted, u updated, d deleted, t truncated, r resynchronise';
COMMENT ON COLUMN fourfold.outbox.columns IS
    '{"old":{…},"new":{…}}: the columns that the dirty queries of the pack ask for';

CREATE TABLE fourfold.outbox_0 PARTITION OF fourfold.outbox FOR VALUES IN (0);
CREATE TABLE fourfold.outbox_1 PARTITION OF fourfold.outbox FOR VALUES IN (1);
CREATE TABLE fourfold.outbox_2 PARTITION OF fourfold.outbox FOR VALUES IN (2);
CREATE TABLE fourfold.outbox_3 PARTITION OF fourfold.outbox FOR VALUES IN (3);

CREATE INDEX outbox_by_xid ON fourfold.outbox (pack, xid, position);

-- Since when a slot takes no more rows: every transaction that wrote into generation `chunk` has
-- an xid below `full_before`, because a writer gets its xid before it draws a position.
CREATE TABLE fourfold.outbox_slots (
    slot int PRIMARY KEY,
    chunk bigint NOT NULL DEFAULT -1,
    full_before xid8
);
INSERT INTO fourfold.outbox_slots (slot) VALUES (0), (1), (2), (3);

-- Which database the cursors belong to. A restore, a promotion or a copy changes it.
CREATE FUNCTION fourfold.database_identity() RETURNS text
LANGUAGE sql STABLE
RETURN (
    SELECT format('%s:%s:%s', c.system_identifier,
        left(pg_walfile_name(pg_current_wal_lsn()), 8), d.oid)
    FROM pg_control_system() AS c, pg_database AS d
    WHERE d.datname = current_database()
);

CREATE TABLE fourfold.database (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    identity text NOT NULL,
    adopted_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO fourfold.database (identity) VALUES (fourfold.database_identity());

-- One revision a page, drawn in an own transaction before the page's views are read.
CREATE SEQUENCE fourfold.revision_seq AS bigint CACHE 1;
