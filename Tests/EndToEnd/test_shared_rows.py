"""Rows without an owner: everybody reads them, only a service that acts for nobody writes them."""

import pytest

TEMPLATE = {"name": "Walk a new street", "dim_keys": ["world_know"], "difficulty": "easy"}


@pytest.fixture
def template(api):
    answer = api.http.post("/v1/dots/challenge-templates", json=TEMPLATE)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_user_reads_them(api, owner, template):
    answer = api.http.get(
        f"/v1/dots/challenge-templates/{template['tpl_id']}", headers={"Fourfold-User": owner})
    assert answer.status_code == 200 and answer.json()["name"] == TEMPLATE["name"]


@pytest.mark.parametrize("method, body", [
    ("POST", TEMPLATE), ("PATCH", {"name": "mine"}), ("PUT", TEMPLATE), ("DELETE", None),
])
def test_a_user_does_not_write_them(api, owner, template, method, body):
    path = "/v1/dots/challenge-templates"
    if method != "POST":
        path += f"/{template['tpl_id']}"
    answer = api.http.request(method, path, json=body, headers={"Fourfold-User": owner})
    assert answer.status_code == 403 and answer.json()["code"] == "forbidden"
    kept = api.http.get(f"/v1/dots/challenge-templates/{template['tpl_id']}").json()
    assert kept["name"] == TEMPLATE["name"]


def test_nor_in_a_batch(api, owner):
    answer = api.http.post(
        "/v1/dots/batch", headers={"Fourfold-User": owner},
        json={"operations": [
            {"op": "create", "entity": "challenge-templates", "value": TEMPLATE}]})
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["field"].startswith("operations.0")
