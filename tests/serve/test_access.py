"""Who may do what: keys, roles, rates, hosts and origins."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from click.testing import CliRunner

from lookalike.cli.app import app as cli
from lookalike.errors import BadInput, TooManyRequests
from lookalike.serve import Settings
from lookalike.serve.access import Buckets
from lookalike.serve.keys import add_key, read_keys, remove_key
from serving import Client, Start, item, query

SEARCH = query(item("id", "picture-0001.png"))
RECORD = "/v1/collections/photos/records/picture-0001.png"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_roles(start: Start, keys: Path) -> None:
    made = {role: add_key(keys, f"for-{role}", role) for role in ("search", "write", "admin")}
    reload = "/v1/collections/photos/reload"
    with start(api_keys=str(keys)) as client:
        for role, allowed in (("", 0), ("search", 1), ("write", 2), ("admin", 3)):
            headers = bearer(made[role]) if role else {}
            answers = [
                client.search(SEARCH, headers=headers).status_code,
                client("DELETE", f"{RECORD}-not-there", headers=headers).status_code,
                client("POST", reload, headers=headers).status_code,
            ]
            refused = 403 if role else 401
            assert answers == [[refused] * 3, [200, refused, refused], [200, 404, refused], [200, 404, 200]][allowed]


def test_a_key_comes_in_a_header_or_a_cookie(start: Start, keys: Path) -> None:
    key = add_key(keys, "page", "search")
    with start(api_keys=str(keys)) as client:
        answer = client.search(SEARCH)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert client.search(SEARCH, headers={"X-API-Key": key}).status_code == 200
        assert client.search(SEARCH, headers=bearer(key + "x")).status_code == 401
        signed = client("POST", "/v1/session", json={"key": key})
        assert signed.json() == {"needed": True, "signed_in": True, "name": "page", "role": "search"}
        cookie = signed.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert client("GET", "/v1/collections", headers={"Cookie": cookie.split(";")[0]}).status_code == 200
        assert client("POST", "/v1/session", json={"key": "wrong"}).status_code == 401
        assert client("GET", "/metrics").status_code == 401
        assert client("GET", "/healthz").status_code == 200


def test_a_removed_key_is_refused_while_the_server_runs(
    start: Start, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = add_key(keys, "guest", "search")
    add_key(keys, "other", "search")
    with start(api_keys=str(keys)) as client:
        assert client.search(SEARCH, headers=bearer(key)).status_code == 200
        remove_key(keys, "guest")
        client.app.state.service.keys._looked = -10.0  # a second later
        assert client.search(SEARCH, headers=bearer(key)).status_code == 401
        keys.unlink()
        client.app.state.service.keys._looked = -10.0
        assert client.search(SEARCH, headers=bearer(key)).status_code == 401


def test_the_file_holds_no_key(keys: Path) -> None:
    key = add_key(keys, "a.b", "write")
    assert key not in keys.read_text(encoding="utf-8")
    assert read_keys(keys)["a.b"].sha256 == hashlib.sha256(key.encode()).hexdigest()
    assert keys.stat().st_mode & 0o077 == 0
    with pytest.raises(BadInput, match="already"):
        add_key(keys, "a.b", "write")


def test_the_command_makes_lists_and_removes(keys: Path) -> None:
    run = CliRunner().invoke
    made = run(cli, ["keys", str(keys), "--add", "shop", "--role", "write"])
    assert made.exit_code == 0
    key = made.stdout.strip()
    assert read_keys(keys)["shop"].sha256 == hashlib.sha256(key.encode()).hexdigest()
    assert run(cli, ["keys", str(keys)]).stdout.startswith("shop\twrite\t")
    assert run(cli, ["keys", str(keys), "--remove", "shop"]).exit_code == 0
    assert read_keys(keys) == {}


def test_a_bucket_fills_by_its_rate() -> None:
    bucket = Buckets(2.0)  # 2 a second, 20 at once
    for _ in range(20):
        bucket.take("a", now=0.0)
    with pytest.raises(TooManyRequests) as refused:
        bucket.take("a", now=0.0)
    assert refused.value.retry_after_s == pytest.approx(0.5)  # one token at 2 a second
    bucket.take("b", now=0.0)
    bucket.take("a", now=0.5)
    with pytest.raises(TooManyRequests):
        bucket.take("a", now=0.75)  # half a token


def test_too_many_requests(start: Start) -> None:
    with start(search_rate=0.1) as client:  # bursts of one
        assert client.search(SEARCH).status_code == 200
        answer = client.search(SEARCH)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 10
    assert answer.json()["error"]["code"] == "too_many_requests"


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": "http://127.0.0.1"}, True),
        ({"Origin": "http://127.0.0.1:8000"}, True),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Host": "evil.example"}, False),
        ({"Host": "localhost:8000"}, True),
        ({"Host": "[::1]:8000"}, True),
    ],
)
def test_a_page_of_another_site_changes_nothing(client: Client, headers: dict[str, str], allowed: bool) -> None:
    answer = client("DELETE", RECORD, headers=headers)
    assert answer.status_code == (200 if allowed else 403)
    assert "access-control-allow-origin" not in answer.headers


def test_cors_is_what_the_operator_says(start: Start) -> None:
    with start(cors_origins=("https://shop.example",)) as client:
        good = client.search(SEARCH, headers={"Origin": "https://shop.example", "Sec-Fetch-Site": "cross-site"})
        bad = client.search(SEARCH, headers={"Origin": "https://evil.example"})
    assert good.headers["access-control-allow-origin"] == "https://shop.example"
    assert bad.status_code == 403


@pytest.mark.parametrize(
    ("host", "more", "allowed"),
    [
        ("127.0.0.1", {}, True),
        ("127.8.8.8", {}, True),
        ("::1", {}, True),
        ("localhost", {}, True),
        ("0.0.0.0", {}, False),
        ("::", {}, False),
        ("192.168.1.5", {}, False),
        ("example.com", {}, False),
        ("0.0.0.0", {"insecure": True}, True),
        ("0.0.0.0", {"api_keys": "keys.toml"}, True),
    ],
)
def test_a_public_address_needs_keys(host: str, more: dict[str, object], allowed: bool) -> None:
    settings = Settings(host=host, **more)  # type: ignore[arg-type]
    if allowed:
        settings.check_binding()
    else:
        with pytest.raises(BadInput, match="no keys"):
            settings.check_binding()


def test_every_answer_has_strict_headers(client: Client) -> None:
    for path in ("/", "/healthz", "/nothing", "/v1/collections", "/v1/collections/photos/thumbnails/1"):
        headers = client("GET", path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["referrer-policy"] == "no-referrer"
