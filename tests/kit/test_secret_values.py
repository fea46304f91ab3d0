from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.secret_values import looks_secret


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENAI_API_KEY", "sk-proj-AbCdEfGhIjKlMnOpQrSt"),
        ("WHATEVER", "sk-ant-AbCdEfGhIjKlMnOpQrSt"),
        ("KEY", "AIza" + "a1" * 18),
        ("GH", "ghp_" + "a1" * 18),
        ("DATABASE_URL", "postgres://u:secretpw@db/x"),
        ("REDIS_URL", "redis://:secret@cache:6379/0"),
        ("DB_PASSWORD", "correct4horse7battery"),
        ("password", "hunter2hunter2"),
        ("SESSION_SECRET_KEY", "0123456789abcdef"),
        ("AWS", "AKIAIOSFODNN7EXAMPLE"),
        ("PEM", "-----BEGIN PRIVATE KEY-----"),
    ],
)
def test_a_key_a_password_and_an_address_with_one_look_secret(name: str, value: str) -> None:
    assert looks_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODEL", "gemini-2.5-flash"),
        ("MAX_TOKENS", "1024"),
        ("TOKEN", ""),
        ("API_KEY", "none"),
        ("SORT_KEY", "created-at-2026-01-01"),
        ("TOKEN_LIMIT", "a1234567890bcdef"),
        ("DATABASE_URL", "postgres://db/x"),
        ("BASE_URL", "https://user@example.com/x1"),
        ("GREETING_SECRET", "how do you do 42 times"),
        ("STREAMPROOF_PROOF_TOKEN", "0123456789abcdef"),
        ("STREAMPROOF_TOKEN_SHA256", "0123456789abcdef" * 4),
        ("URL", "http://[::1"),
    ],
)
def test_ordinary_settings_do_not(name: str, value: str) -> None:
    assert not looks_secret(name, value)


@given(st.text(), st.text())
def test_whatever_is_set_is_decided(name: str, value: str) -> None:
    looks_secret(name, value)
