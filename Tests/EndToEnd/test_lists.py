"""Lists over HTTP in PostgREST's grammar, against the same rows asked with SQL."""

import itertools
import json

import pytest

from api import SINGULAR, done, problem

NOBODY = "00000000-0000-4000-8000-000000000000"

# name, status, source, description, attributes; in the order of their creation.
ROWS = [
    ("Garden", "active", "user", "roses, (red) and \"wild\"", {"n": 1, "tags": ["a", "b"]}),
    ("garden shed", "active", "import", None, {"n": 2, "tags": ["b"], "who": {"name": "Ann"}}),
    ("Tea", "merged", "user", "green", {"n": 10, "who": {"name": "Bob", "age": 30}}),
    ("100% wool", "merged", None, None, {}),
    ("Ünïcode ✓", "archived", "agent", "a.b,c", {"n": None}),
    ("back\\slash", None, "agent", "", {"n": 2.5}),
]


@pytest.fixture(scope="module")
def journal(api):
    """A user with ROWS, and another with rows that no list of the first may show."""
    user = api.user()
    for place, (name, status, source, description, attributes) in enumerate(ROWS):
        api.concept(user, name=name, status=status, source=source, description=description,
                    attributes=json.dumps(attributes),
                    created_at=f"2026-01-{place + 1:02} 12:00:00+00")
    stranger = api.user()
    for name in ("Garden", "Tea"):
        api.concept(stranger, name=name)
    return user


@pytest.fixture(scope="module")
def memories(api):
    user = api.user()
    for title, media, people in [
            ("one", "{a,b}", ['{"name":"Ann"}']), ("two", "{b,c}", []), ("three", "{}", []),
            ("four", '{"x,y","q\\"r"}', [])]:
        api.insert("memory_units", "memory_id", user_id=user, title=title, content=title,
                   memory_type="note", media_urls=media, people=people)
    return user


def names(api, user, query, **options):
    values = done(api("GET", f"concepts?{query}", user=user, **options), 200)
    return [value["name"] for value in values]


G, S, T, W, U, B = (row[0] for row in ROWS)

FILTERS = [
    ("name=eq.Tea", [T]),
    ("name=neq.Tea", [G, S, W, U, B]),
    ("name=not.eq.Tea", [G, S, W, U, B]),
    ("name=gt.Tea", [S, U, B]),
    ("name=gte.Tea", [S, T, U, B]),
    ("name=lt.Garden", [W]),
    ("name=lte.Garden", [G, W]),
    ("name=like.*arden*", [G, S]),
    ("name=like.%25arden%25", [G, S]),
    ("name=like.G*", [G]),
    ("name=ilike.g*", [G, S]),
    ("name=not.ilike.g*", [T, W, U, B]),
    ("name=like.100\\%25*", [W]),
    ("name=match.^[GT]", [G, T]),
    ("name=imatch.^[gt]", [G, S, T]),
    ("name=in.(Tea,Garden)", [G, T]),
    ('name=in.("Tea","100%25 wool")', [T, W]),
    ("name=in.()", []),
    ("name=not.in.(Tea,Garden)", [S, W, U, B]),
    ("name=eq(any).{Tea,Garden}", [G, T]),
    ("name=like(any).{T*,G*}", [G, T]),
    ("name=ilike(all).{*a*,*d*}", [G, S]),
    ("name=eq.%C3%9Cn%C3%AFcode%20%E2%9C%93", [U]),
    ("name=eq.garden+shed", [S]),
    ("name=eq.back\\slash", [B]),
    ("description=is.null", [S, W]),
    ("description=not.is.null", [G, T, U, B]),
    ("description=is.not_null", [G, T, U, B]),
    ("description=eq.", [B]),
    ("description=eq.a.b,c", [U]),
    ("status=isdistinct.active", [T, W, U, B]),
    ("status=not.isdistinct.active", [G, S]),
    ("status=eq.merged&source=eq.user", [T]),
    ("name=gte.G&name=lt.U", [G, T]),
    ("created_at=gte.2026-01-05", [U, B]),
    ("created_at=lt.2026-01-02T00:00:00Z", [G]),
    ("created_at=eq.2026-01-03T13:00:00%2B01:00", [T]),
    ("or=(name.eq.Tea,status.eq.archived)", [T, U]),
    ("or=(status.eq.archived,and(status.eq.merged,source.is.null))", [W, U]),
    ("and=(status.eq.merged,source.eq.user)", [T]),
    ("not.or=(status.eq.active,status.eq.merged)", [U]),
    ("not.and=(status.eq.active,source.eq.user)", [S, T, W, U, B]),
    ("or=(not.name.like.*a*,name.eq.Garden)", [G, W, U]),
    ("or=(name.not.in.(Tea,Garden),name.eq.Tea)", [S, T, W, U, B]),
    ("or=(not.and(status.eq.active,source.eq.user),name.eq.Garden)", [G, S, T, W, U, B]),
    ('or=(description.eq."a.b,c",description.eq."roses, (red) and \\"wild\\"")', [G, U]),
    ("or=(name.in.(Tea,Garden),name.eq.x)&status=eq.active", [G]),
    ("attributes->who->>name=eq.Ann", [S]),
    ("attributes->>n=eq.2", [S]),
    ("attributes->n=eq.2", [S]),
    ("attributes->n=gt.2", [T, B]),
    ("attributes->>n=is.null", [W, U]),
    ("attributes->tags->>0=eq.b", [S]),
    ("attributes->tags->>-1=eq.b", [G, S]),
    ('attributes=cs.{"n":2}', [S]),
    ('attributes=cs.{"who":{"age":30}}', [T]),
    ('attributes->tags=cs.["a"]', [G]),
    ('attributes=cd.{"n":2.5,"z":1}', [W, B]),
    ('attributes->tags=ov.["a","z"]', [G]),
    ("attributes=eq.{}", [W]),
    ('attributes=not.cs.{"tags":["b"]}', [T, W, U, B]),
    ("description=fts.green", [T]),
    ("description=plfts.red+roses", [G]),
    ("description=wfts(english).rose", [G]),
    ("name=eq.Tea&limit=0", []),
]


@pytest.mark.parametrize("query, expected", FILTERS, ids=[query for query, _ in FILTERS])
def test_filters(api, journal, query, expected):
    assert names(api, journal, f"{query}&order=created_at") == expected


def test_the_table_of_filters_finds_something_else_for_another_owner(api, journal):
    stranger = api.user()
    for query, _ in FILTERS:
        assert names(api, stranger, query) == []


ARRAYS = [
    ("media_urls=cs.{a}", ["one"]),
    ("media_urls=cs.{b}", ["one", "two"]),
    ("media_urls=cd.{a,b,c}", ["one", "two", "three"]),
    ("media_urls=ov.{c,a}", ["one", "two"]),
    ('media_urls=cs.{"x,y"}', ["four"]),
    ("media_urls=eq.{}", ["three"]),
    ("media_urls->>0=eq.b", ["two"]),
    ("or=(media_urls.cs.{a,b},title.eq.three)", ["one", "three"]),
]


@pytest.mark.parametrize("query, expected", ARRAYS, ids=[query for query, _ in ARRAYS])
def test_array_filters(api, memories, query, expected):
    values = done(api("GET", f"memories?{query}&order=created_at", user=memories), 200)
    assert [value["title"] for value in values] == expected


ORDERS = [
    ("order=name", [W, G, T, B, S, U]),
    ("order=name.asc", [W, G, T, B, S, U]),
    ("order=name.desc", [U, S, B, T, G, W]),
    ("order=status,name", [G, S, U, W, T, B]),
    ("order=status.desc,name", [B, W, T, U, G, S]),
    ("order=status.desc.nullslast,name.desc", [T, W, U, S, G, B]),
    ("order=status.nullsfirst,name", [B, G, S, U, W, T]),
    ("order=attributes->n.desc.nullslast,name", [T, B, S, G, U, W]),
    ("order=attributes->who->>name.nullslast,name", [S, T, W, G, B, U]),
    ("order=created_at.desc&limit=2", [B, U]),
    ("order=created_at&limit=2&offset=3", [W, U]),
    ("order=created_at&offset=5", [B]),
    ("order=created_at&offset=50", []),
]


@pytest.mark.parametrize("query, expected", ORDERS, ids=[query for query, _ in ORDERS])
def test_orders(api, journal, query, expected):
    assert names(api, journal, query) == expected


SELECTS = [
    ("select=name", {"name": "Tea"}),
    ("select=title:name,status", {"title": "Tea", "status": "merged"}),
    ("select=name,who:attributes->who->>name", {"name": "Tea", "who": "Bob"}),
    ("select=attributes->who", {"who": {"name": "Bob", "age": 30}}),
    ("select=attributes->who->>age", {"age": "30"}),
    ("select=n:attributes->>n::int", {"n": 10}),
    ("select=day:created_at::date", {"day": "2026-01-03"}),
    ("select=created_at::text", None),
    ("select=*", None),
    ("select=", None),
    ("select=*,again:name", None),
    ('select="name"', {"name": "Tea"}),
    ('select="my title":name', {"my title": "Tea"}),
]


@pytest.mark.parametrize("query, expected", SELECTS, ids=[query for query, _ in SELECTS])
def test_selects(api, journal, query, expected):
    (value,) = done(api("GET", f"concepts?name=eq.Tea&{query}", user=journal), 200)
    if expected is not None:
        assert value == expected
    elif query == "select=created_at::text":
        assert value["created_at"].startswith("2026-01-03 12:00:00")
    else:
        assert value["name"] == "Tea" and len(value) == 9 + query.count("again")


# What a query may not say.

REFUSED = [
    ("nam=eq.x", "unknown_column", "nam"),
    ("select=nam", "unknown_column", "nam"),
    ("order=nam", "unknown_column", "nam"),
    ("or=(nam.eq.x)", "unknown_column", "nam"),
    ("tags.name=eq.x", "unknown_column", "tags.name"),
    ("name=Tea", "invalid_filter", "name"),
    ("name=eqq.Tea", "invalid_filter", "name"),
    ("name=", "invalid_filter", "name"),
    ("name", "invalid_filter", "name"),
    ("name=is.nothing", "invalid_filter", "name"),
    ("name=in.Tea", "invalid_filter", "name"),
    ("name=in.(Tea", "invalid_filter", "name"),
    ("name=in.(Tea)x", "invalid_filter", "name"),
    ("name=neq(any).{a}", "invalid_filter", "name"),
    ("or=name.eq.x", "invalid_filter", "or"),
    ("or=(name.eq.x", "invalid_filter", "or"),
    ("or=()", None, None),
    ("or=(name.eq.x)y", "invalid_filter", "or"),
    ("name=match.[", "invalid_value", None),
    ("concept_id=eq.7", "invalid_value", None),
    ("created_at=gt.soon", "invalid_value", None),
    ("attributes=cs.{", "invalid_value", None),
    ("attributes->n=eq.x", "invalid_value", None),
    ("name=cs.{a}", "invalid_filter", None),
    ("created_at=like.2026*", None, None),
    ("attributes->>who->name=eq.x", "invalid_parameter", "attributes"),
    ("order=name.down", "invalid_order", "order"),
    ("order=name.desc.asc", "invalid_order", "order"),
    ("order=name,", "unknown_column", ""),
    ("limit=-1", "invalid_parameter", "limit"),
    ("limit=ten", "invalid_parameter", "limit"),
    ("limit=1e3", "invalid_parameter", "limit"),
    ("limit=1&limit=2", "invalid_parameter", "limit"),
    ("offset=999999999999", "invalid_parameter", "offset"),
    ("offset=99999999999999999999999999", "invalid_parameter", "offset"),
    ("cursor=abc", "invalid_cursor", "cursor"),
    ("select=tags(*)", "embedding_unsupported", "select"),
    ("select=*,people(name)", "embedding_unsupported", "select"),
    ("select=...tags(name)", "embedding_unsupported", "select"),
    ("select=tags!inner(name)", "embedding_unsupported", "select"),
    ("select=count()", "aggregate_unsupported", "select"),
    ("select=name.max()", "aggregate_unsupported", "select"),
    ("select=name::regclass", "invalid_select", "select"),
    ("select=a:name,a:status", "invalid_select", "select"),
    ("select=\"a\\\"b\":name", "invalid_select", "select"),
    ("select=name::int", "invalid_value", None),
    ("name=fts(nolanguage).x", "invalid_filter", None),
    ("description=fts.a+b", "invalid_filter", None),
    ("columns=name", None, None),
]


@pytest.mark.parametrize("query, code, field", REFUSED, ids=[each[0] for each in REFUSED])
def test_refused_queries(api, journal, query, code, field):
    answer = api("GET", f"concepts?{query}", user=journal)
    if code is None:
        assert answer.status_code in (200, 400)
    else:
        problem(answer, 400, code, field)


# Pages.


@pytest.fixture(scope="module")
def pages(api):
    """A user with 250 concepts: ties in status and description, and NULLs in both."""
    user = api.user()
    api.sql("""
        INSERT INTO dots.concepts (user_id, name, status, description, attributes)
        SELECT %s, 'c' || lpad(n::text, 3, '0'),
            CASE WHEN n %% 5 > 0 THEN 's' || n %% 3 END,
            CASE WHEN n %% 7 > 0 THEN repeat('é"\\', n %% 4) END,
            jsonb_build_object('n', CASE WHEN n %% 4 > 0 THEN n %% 6 END)
        FROM generate_series(1, 250) AS n ORDER BY random()""", [user])
    return user


def follow(api, user, query):
    """All pages by their Link headers."""
    target, found = f"/v1/dots/concepts?{query}", []
    for _ in range(100):
        answer = api("GET", target, user=user)
        page = done(answer, 200)
        found.append(page)
        link = answer.headers.get("link")
        if link is None:
            return found
        target, rel = link.split("; ")
        assert rel == 'rel="next"' and target.startswith("</v1/dots/concepts?")
        target = target[1:-1]
    raise AssertionError("the pages do not end")


CURSOR_ORDERS = {
    "": "concept_id",
    "order=name": "name",
    "order=name.desc": "name DESC",
    "order=status": "status NULLS LAST, concept_id",
    "order=status.desc": "status DESC NULLS FIRST, concept_id DESC",
    "order=status.nullsfirst": "status NULLS FIRST, concept_id",
    "order=status.desc.nullslast": "status DESC NULLS LAST, concept_id DESC",
    "order=status,description.desc": "status, description DESC, concept_id DESC",
    "order=description.nullsfirst,status.desc.nullslast,name":
        "description NULLS FIRST, status DESC NULLS LAST, name, concept_id",
    "order=attributes->n": "attributes->'n' NULLS LAST, concept_id",
    "order=attributes->>n.desc": "attributes->>'n' DESC NULLS FIRST, concept_id DESC",
    "order=created_at.desc": "created_at DESC, concept_id DESC",
    "order=concept_id.desc": "concept_id DESC",
}


@pytest.mark.parametrize("query, order", CURSOR_ORDERS.items(), ids=list(CURSOR_ORDERS))
@pytest.mark.parametrize("limit", [7, 50, 100])
def test_cursor_pages(api, pages, query, order, limit):
    found = follow(api, pages, f"select=name&limit={limit}&{query}")
    wanted = [row["name"] for row in api.sql(
        f"SELECT name FROM dots.concepts WHERE user_id = %s ORDER BY {order}", [pages])]
    assert [row["name"] for row in itertools.chain(*found)] == wanted
    assert {len(page) for page in found[:-1]} <= {limit}


def test_cursor_with_filters(api, pages):
    found = follow(api, pages, "limit=20&order=status.desc&or=(status.is.null,status.eq.s1)")
    rows = list(itertools.chain(*found))
    assert len(rows) == api.count(
        "concepts", "user_id = %s AND (status IS NULL OR status = 's1')", [pages])
    assert len({row["concept_id"] for row in rows}) == len(rows)


def test_cursor_survives_changes_meanwhile(api):
    user = api.user()
    for number in range(20):
        api.concept(user, name=f"m{number:02}")
    first = api("GET", "concepts?order=name&limit=10", user=user)
    api.sql("DELETE FROM dots.concepts WHERE user_id = %s AND name IN ('m03', 'm09')", [user])
    api.concept(user, name="m04b")
    target = first.headers["link"].split(">")[0][1:]
    assert [row["name"] for row in done(api("GET", target, user=user), 200)] == [
        f"m{number:02}" for number in range(10, 20)]


def test_a_cursor_belongs_to_its_list(api, pages):
    answer = api("GET", "concepts?order=name&limit=5", user=pages)
    cursor = answer.headers["link"].split("cursor=")[1].split(">")[0]
    for query in (f"order=status&limit=5&cursor={cursor}", f"limit=5&cursor={cursor}",
                  f"order=name&name=eq.x&cursor={cursor}", f"order=name&cursor={cursor[:-4]}",
                  f"order=name&cursor={cursor}AA", "order=name&cursor=", "cursor=!"):
        problem(api("GET", f"concepts?{query}", user=pages), 400, "invalid_cursor", "cursor")
    problem(api("GET", f"people?order=name&cursor={cursor}", user=pages), 400, "invalid_cursor")
    both = api("GET", f"concepts?order=name&offset=1&cursor={cursor}", user=pages)
    problem(both, 400, "invalid_parameter", "cursor")
    done(api("GET", f"concepts?order=name&limit=9&cursor={cursor}", user=pages), 200)


def test_a_cursor_opens_no_other_owners_rows(api, pages):
    cursor = api("GET", "concepts?order=name&limit=5", user=pages).headers["link"]
    target = cursor.split(">")[0][1:]
    assert done(api("GET", target, user=api.user()), 200) == []


def test_limit_is_cut_and_defaults(api, pages):
    assert len(done(api("GET", "concepts", user=pages), 200)) == 100
    assert len(done(api("GET", "concepts?limit=100000", user=pages), 200)) == 250
    assert len(done(api("GET", "concepts?limit=99999999999999999999", user=pages), 200)) == 250


RANGES = [
    ("limit=10", None, "0-9/*"), ("limit=10&offset=245", None, "245-249/*"),
    ("limit=10", "count=exact", "0-9/250"), ("name=eq.none", "count=exact", "*/0"),
    ("offset=300", "count=exact", "*/250"), ("limit=0", "count=exact", "*/250"),
    ("name=like.c00*", "count=exact", "0-8/9"), ("name=like.c00*", "count=estimated", "0-8/9"),
]


@pytest.mark.parametrize("query, prefer, expected", RANGES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_content_range(api, pages, method, query, prefer, expected):
    answer = api(method, f"concepts?{query}", user=pages, prefer=prefer)
    assert (answer.status_code, answer.headers["content-range"]) == (200, expected)
    assert (answer.content == b"") == (method == "HEAD")


def test_planned_count(api, pages):
    answer = api("GET", "concepts?limit=1", user=pages, prefer="count=planned")
    assert int(answer.headers["content-range"].split("/")[1]) >= 0


def test_head_of_a_count(api, pages):
    answer = api("HEAD", "concepts?name=eq.none", user=pages, prefer="count=exact")
    assert answer.headers["content-range"] == "*/0"


@pytest.mark.parametrize("query, count", [("name=eq.none", "0"), ("limit=1", None), ("", "2")])
def test_singular(api, pages, query, count):
    answer = api("GET", f"concepts?{query}", user=pages, headers={"Accept": SINGULAR})
    if count is None:
        assert done(answer, 200)["name"]
    else:
        found = problem(answer, 406, "not_singular")
        assert found["details"].startswith(f"The result contains {count}")


def test_list_not_modified(api, pages):
    first = api("GET", "concepts?limit=3", user=pages)
    again = api("GET", "concepts?limit=3", user=pages,
                headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


# Indexed columns.


def test_without_an_owner_only_indexed_columns(api, journal):
    for query in ("status=eq.active", "order=name", "or=(concept_id.eq." + NOBODY
                  + ",status.eq.x)", "attributes->>n=eq.1", "not.and=(status.eq.x)",
                  "user_id=not.eq." + NOBODY + "&status=eq.x"):
        found = problem(api("GET", f"concepts?{query}"), 400, "column_not_indexed")
        assert "concept_id" in found["hint"] and "user_id" in found["hint"]
        assert "password" not in str(found)


@pytest.mark.parametrize("query", [
    "user_id=eq.{user}&status=eq.active", "concept_id=in.(" + NOBODY + ")&name=eq.x",
    "user_id=eq.{user}&order=name.desc", "order=concept_id", "user_id=eq.{user}&or=(name.eq.a)"])
def test_an_indexed_equality_opens_the_other_columns(api, journal, query):
    done(api("GET", "concepts?" + query.format(user=journal)), 200)


def test_a_service_sees_all_owners(api, journal, pages):
    values = done(api("GET", f"concepts?user_id=in.({journal},{pages})&limit=1000"), 200)
    assert {value["user_id"] for value in values} == {journal, pages}
