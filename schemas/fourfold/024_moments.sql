-- The same without STRICT, which kept PostgreSQL from writing the CASE into the statement that
-- calls it; each row cost a call of its own.
CREATE OR REPLACE FUNCTION fourfold.rfc3339(moment timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN moment >= '0001-01-01 00:00:00+00' AND moment < '10000-01-01 00:00:00+00'
    THEN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') END;
