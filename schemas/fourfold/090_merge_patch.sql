-- JSON merge patch (RFC 7386) inside a jsonb column: a PATCH of one entity keeps the members of a
-- document that it does not name.

CREATE OR REPLACE FUNCTION fourfold.json_merge_patch(target jsonb, patch jsonb)
RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
AS $$
BEGIN
    IF patch IS NULL OR jsonb_typeof(patch) <> 'object' THEN
        RETURN patch;
    END IF;
    IF target IS NULL OR jsonb_typeof(target) <> 'object' THEN
        target := '{}';
    END IF;
    RETURN coalesce(
        (
            SELECT jsonb_object_agg(merged.key, merged.value)
            FROM (
                SELECT kept.key, kept.value
                FROM jsonb_each(target) AS kept
                WHERE NOT patch ? kept.key
                UNION ALL
                SELECT named.key, fourfold.json_merge_patch(target -> named.key, named.value)
                FROM jsonb_each(patch) AS named
                WHERE jsonb_typeof(named.value) <> 'null'
            ) AS merged
        ),
        '{}'
    );
END
$$;

COMMENT ON FUNCTION fourfold.json_merge_patch(jsonb, jsonb) IS
    'RFC 7386: members of the patch replace those of the target, null removes one.';
