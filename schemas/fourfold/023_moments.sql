-- RFC 3339 has the years 1 to 9999 of our era. A moment outside them was written with its era left
-- out, or with a year of five digits that no store reads; it is left out now, as infinity is.
CREATE OR REPLACE FUNCTION fourfold.rfc3339(moment timestamptz) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN CASE
    WHEN moment >= '0001-01-01 00:00:00+00' AND moment < '10000-01-01 00:00:00+00'
    THEN to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') END;
