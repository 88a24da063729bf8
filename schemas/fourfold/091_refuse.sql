-- Lets a single statement undo itself: a write that finds, after the fact, that it touched too many
-- rows or a row of another owner raises a state of class FF and so changes nothing.

CREATE OR REPLACE FUNCTION fourfold.refuse(state text, message text)
RETURNS void
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = state, MESSAGE = message;
END
$$;

COMMENT ON FUNCTION fourfold.refuse(text, text) IS
    'Raises an exception of the given SQLSTATE; the message is a count or a word, never a value.';
