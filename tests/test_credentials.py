"""Credentials are found by their shapes and names, and ordinary prose and code is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from smithers_nb.credentials import LONG, MASK, masked, masked_json, masked_value

# Written in two pieces: what looks like a key in a file of the project would be taken for one.
SECRETS = {
    "openai": "sk-" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6",
    "openai project": "sk-proj-" + "Abc_def-0123456789abcdefghij",
    "anthropic": "sk-ant-" + "api03-abcDEF0123456789-_xyz-AA",
    "stripe": "sk_live_" + "51Habc0123456789",
    "github": "ghp_" + "0123456789abcdefghijABCDEFGHIJ012345",
    "github, fine grained": "github_pat_" + "11ABCDEFG0abcdefghij_0123456789",
    "gitlab": "glpat-" + "abcDEF0123456789xyzA",
    "slack": "xoxb-" + "123456789012-abcdefGHIJKL",
    "aws id": "AKIA" + "IOSFODNN7EXAMPLE",
    "aws temporary id": "ASIA" + "IOSFODNN7EXAMPLE",
    "google": "AIza" + "SyA0123456789abcdefghijklmnopqrstuv",
    "hugging face": "hf_" + "abcdefGHIJKL0123456789mnopqr",
    "web token": "eyJ" + "hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlMDEy",
}
PLACES = ["{}", "use {} here", "key={}", '"{}"', "{}, please", "https://x.org/?k={}&b=1", "({})", "line\n{}\nline"]

IN_CONTEXT = {
    "Authorization: Bearer abcdef.ghijkl": "abcdef.ghijkl",
    "bearer 0123456789abcdef": "0123456789abcdef",
    "Bearer sk-fake-key": "fake-key",
    "Authorization: Basic dXNlcjpwYXNz": "dXNlcjpwYXNz",
    "basic dXNlcjpwYXNzd29yZA==": "dXNlcjpwYXNz",
    "api_key=topsecretvalue": "topsecretvalue",
    "https://x.org/v1?api_key=abc123&q=1": "abc123",
    "API_KEY='notaword'": "notaword",
    'apikey: "hunter2x"': "hunter2x",
    "OPENAI_API_KEY=abcdef123456": "abcdef123456",
    "password=correcthorse": "correcthorse",
    "aws_secret_access_key = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'": "wJalrXUtnFEMI",
    "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": "bPxRfiCY",
    "client_secret: 9f8e7d6c5b4a": "9f8e7d6c5b4a",
    "postgresql://user:pa55word@db.example.org/x": "pa55word",
    "redis://:onlyapassword@localhost:6379": "onlyapassword",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKCAQ\n-----END RSA PRIVATE KEY-----": "MIIEow",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r": "b3BlbnNzaC1r",
    "session_token=AbCdEf0123456789": "AbCdEf0123456789",
}

PROSE = [
    "The bearer of this letter is a friend. Bearer instruments are transferable; bearer authentication is common.",
    "Ask sk-learn, scikit-learn or sk-toggleable__content; the locale is sk-SK, and risk-adjusted task-based desks.",
    "A key idea: the key is to find keys. The secret of success is no secret; password rules bore everyone.",
    "api_key is read from the environment. Set api_key=os.environ['KEY'], or api_key=None, or api_key=settings.key.",
    "Passwords: at least twelve characters. Password: required. Token: the unit that a model reads.",
    "token = tokenizer.next(); tokens=4096; max_tokens=1024; next_token=word; secret=True; token=unknown",
    "Basic understanding of basic internationalization, basic authentication and BASIC programming.",
    "commit 06ac227d8f4c1b0e9a7d6c5b4a39281706f5e4d3, id 7d444840-9dc0-11d1-b245-5ffdce74fad2",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "https://example.org:8080/path/to@home?q=1 and mailto:me@example.org and ssh://git@example.org/a.git",
    "See http://localhost:8888/lab/tree/a.ipynb, or call f(x: int, key=lambda one: one.name).",
    "AKIA is a prefix, as ASIA is; ASIA and AFRICA ARE CONTINENTS. Eyjafjallajökull erupted in 2010.",
    "def login(password: str, api_key: str | None = None) -> Token: ...",
    'client = Client(api_key=load_key(), password=prompt("Password"), token=tokens[0])',
    "Write it up: 1. tides 2. turbines. The ghost_writer hf_radio npm_config_registry xai-models gsk_pharma",
    "sort(key=by_name_then_date, reverse=True) and primary_key=True, foreign_key='users.id'",
]


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("place", PLACES)
def test_a_key_is_masked_wherever_it_stands(secret: str, place: str) -> None:
    text = masked(place.format(secret))
    assert MASK in text and secret[12:] not in text and secret[-8:] not in text
    before, _, after = place.partition("{}")
    assert text.startswith(before) and text.endswith(after), "and nothing else"


@pytest.mark.parametrize(("text", "secret"), IN_CONTEXT.items(), ids=IN_CONTEXT)
def test_a_credential_is_masked_that_only_its_surroundings_tell(text: str, secret: str) -> None:
    assert secret in text and secret not in masked(text) and MASK in masked(text)


@pytest.mark.parametrize("prose", PROSE)
def test_ordinary_prose_and_code_is_left_alone(prose: str) -> None:
    assert masked(prose) == prose


def test_our_own_documents_and_code_hold_no_credential() -> None:
    root = Path(__file__).parents[1]
    texts = {path: path.read_text() for path in [*root.glob("*.md"), *(root / "smithers_nb" / "nodes").glob("*.py")]}
    assert {path.name for path, text in texts.items() if masked(text) != text} == set()


NAMED = {
    "headers": ({"Authorization": "anything", "X-Api-Key": "short", "Accept": "text/plain"}, 2),
    "cookies": ({"cookie": "a=b", "set-cookie": "c=d"}, 2),
    "nested": ({"extra_headers": {"proxy-authorization": "x"}, "list": [{"password": "y"}]}, 2),
    "spellings": ({"apiKey": "a", "api_key": "b", "apikey": "c", "OPENAI_API_KEY": "d", "client-secret": "e"}, 5),
    "no credentials": ({"max_tokens": 4096, "tokens": "a b c", "key": "name", "author": "x", "keywords": ["y"]}, 0),
    "no texts": ({"password": None, "secret": True, "api_key": 5}, 0),
}


@pytest.mark.parametrize(("value", "count"), NAMED.values(), ids=NAMED)
def test_a_text_behind_the_name_of_a_credential_is_masked(value: object, count: int) -> None:
    assert json.dumps(masked_value(value), ensure_ascii=False).count(MASK) == count


def test_masked_json_parses_and_a_masked_text_stays_as_it_is() -> None:
    value = {"a": ['say "sk-' + 'a1B2c3D4e5F6g7H8"', "-----BEGIN PRIVATE KEY-----\nMII"], "b": {"password": '"\n'}}
    text = masked_json(json.dumps(value))
    assert json.loads(text) == {
        "a": ['say "sk-•••"', "-----BEGIN PRIVATE KEY-----•••"],
        "b": {"password": MASK},
    }
    assert masked_json(text) == text
    for secret in [*SECRETS.values(), *IN_CONTEXT]:
        assert masked(masked(secret)) == masked(secret)


@pytest.mark.parametrize("piece", ["a-", "a.", "sk-", "eyJ-", "key=", "http://", "bearer ", "password='", "x"])
def test_a_long_text_of_the_same_piece_is_looked_through_once(piece: str) -> None:
    """Not measured by a clock: a search that begins anew at each piece would not end within the test's patience."""
    text = f"token {piece * (300_000 // len(piece))}"
    assert len(masked(text)) <= len(text)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_a_key_is_masked_in_a_long_text_too(secret: str) -> None:
    assert secret not in masked(f"{'. ' * LONG}{secret} {'. ' * LONG}")
