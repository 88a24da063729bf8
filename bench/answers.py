"""Whether answers are right while the gateway is under load."""

import random
import threading

import httpx

from load import GET_LUA, ROW_COUNT, wrk

REQUEST_COUNT = 2_000


def check_answers(bench, url):
    """Reads rows beside a load of wrk and compares each with what was written."""
    checked = 0
    over = threading.Event()

    def load():
        wrk(bench, url, GET_LUA, 2)
        over.set()

    loader = threading.Thread(target=load)
    loader.start()
    chosen = random.Random(7)
    with httpx.Client(base_url=url) as client:
        while checked < REQUEST_COUNT and not over.is_set():
            number = chosen.randint(1, ROW_COUNT)
            id = f"00000000-0000-0000-0000-{number:012d}"
            answer = client.get(f"/v1/dots/concepts/{id}")
            assert answer.status_code == 200, answer.text
            row = answer.json()
            assert (row["concept_id"], row["name"]) == (id, f"Concept {number}"), row
            checked += 1
    loader.join()
    assert checked > 0
    return f"{checked:,} answers under load compared"
