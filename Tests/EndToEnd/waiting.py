"""Waiting for a condition, never for a time."""

import time


def wait_until(predicate, deadline=10.0, pause=0.02, message=None):
    """Calls `predicate` until it returns something true, and returns that.

    An AssertionError or a lost connection inside counts as "not yet". After `deadline` seconds the
    last such error is raised, or an AssertionError with `message`.
    """
    end = time.monotonic() + deadline
    while True:
        error = None
        try:
            value = predicate()
            if value:
                return value
        except (AssertionError, OSError, LookupError) as caught:
            error = caught
        except Exception as caught:
            if type(caught).__module__.split(".")[0] not in ("httpx", "psycopg", "redis"):
                raise
            error = caught
        if time.monotonic() >= end:
            text = message or f"not true within {deadline} s"
            raise AssertionError(f"{text}: {error!r}" if error else text) from error
        time.sleep(pause)
