"""Google ID tokens, really signed (RS256) by a key made here, against certificates that are served here."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trustme
from google.auth import crypt, jwt
from google.auth.exceptions import TransportError
from google.oauth2 import id_token
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from service.app import create_app
from service.google_accounts import KEEP_S, RETRY_S, GoogleAccounts, _Certificates
from service.problems import Problem
from service.settings import Settings, SettingsError
from tests.service.asking import Answer, ask, ask_json
from tests.service.conftest import Serve, serving

AUDIENCE = "https://streamproof.example"
ME = "me@example.org"
KEY_ID = "2027-01"


class Key:
    """A private key and its certificate."""

    def __init__(self) -> None:
        issued = trustme.CA(key_type=trustme.KeyType.RSA).issue_cert(
            "a.example", key_type=trustme.KeyType.RSA
        )
        self.certificate = issued.cert_chain_pems[0].bytes().decode()
        self._pem = issued.private_key_pem.bytes()

    def token(self, key_id: str | None = KEY_ID, **changes: Any) -> str:
        """An ID token as Google makes them, but for what is named; None leaves a claim out."""
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com",
            "aud": AUDIENCE,
            "sub": "1",
            "email": ME,
            "email_verified": True,
            "iat": now - 60,
            "exp": now + 3600,
            **changes,
        }
        signer: Any = crypt.RSASigner.from_string(self._pem, key_id)  # type: ignore[no-untyped-call]
        payload = {name: value for name, value in claims.items() if value is not None}
        token: bytes = jwt.encode(signer, payload)  # type: ignore[no-untyped-call]
        return token.decode()


class Certificates:
    """Where certificates are to be had; `answer` is what they say, `asked` how often."""

    def __init__(self, key: Key) -> None:
        self.asked = 0
        self.fresh = JSONResponse(
            {KEY_ID: key.certificate}, headers={"Cache-Control": "public, max-age=22000, must-revalidate"}
        )
        self.answer: Response = self.fresh
        self.app = Router([Route("/certs", self._certs)])

    async def _certs(self, request: Request) -> Response:
        self.asked += 1
        return self.answer


@pytest.fixture(scope="module")
def key() -> Key:
    return Key()


@pytest.fixture(scope="module")
def google(key: Key) -> Iterator[Certificates]:
    """In Google's place, for all that google-auth fetches."""
    certificates = Certificates(key)
    with serving(certificates.app) as url, pytest.MonkeyPatch.context() as patch:
        patch.setattr(id_token, "_GOOGLE_OAUTH2_CERTS_URL", f"{url}/certs")
        yield certificates


@pytest.fixture
def certificates(google: Certificates) -> Certificates:
    google.asked, google.answer = 0, google.fresh
    return google


def settings(**more: Any) -> Settings:
    given = {"google_audience": AUDIENCE, "google_emails": (ME, "you@example.org"), "lab": True}
    return Settings(**{**given, "first_token_ms": 0, "tokens_per_s": 1_000_000, **more})


@pytest.fixture(scope="module")
def guarded(google: Certificates) -> Iterator[str]:
    """A service that wants a Google account, and has the certificates after its first request."""
    with serving(create_app(settings())) as url:
        yield url


@pytest.fixture
def fresh(certificates: Certificates, serve: Serve) -> str:
    """The same without certificates yet."""
    return serve(create_app(settings()))


def asked(base: str, token: str | None) -> Answer:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return ask_json(base, {"ai_prompt": "Why?", "max_output_tokens": 1}, **headers)


def refused(answer: Answer) -> tuple[int, str, str | None]:
    body = answer.json()
    kind = body["type"].removeprefix("urn:streamproof:problem:")
    assert body["status"] == answer.status
    return answer.status, kind, answer.headers["WWW-Authenticate"]


def test_who_is_named_is_let_in_to_ask_and_to_prove(guarded: str, key: Key) -> None:
    assert asked(guarded, key.token()).events()[-1].type == "done"
    assert asked(guarded, key.token(email="You@Example.org", iss="accounts.google.com")).status == 200
    theirs = {"Authorization": f"Bearer {key.token()}"}
    assert ask(guarded, "/proof/ping", headers=theirs).status == 200


def test_without_a_token_the_answer_says_which(guarded: str) -> None:
    answer = asked(guarded, None)
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.status == 401
    assert f"a Google ID token for {AUDIENCE}" in answer.json()["detail"]
    assert refused(ask(guarded, "/proof/ping"))[:2] == (401, "token-missing")


WRONG = (401, "token-wrong", 'Bearer error="invalid_token"')


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": 1_700_000_000},
        {"iat": 4_000_000_000, "exp": 4_000_003_600},
        {"exp": None},
        {"exp": "soon"},
        {"aud": "https://another.example"},
        {"aud": [AUDIENCE]},
        {"aud": None},
        {"iss": "https://accounts.google.com.example"},
        {"iss": None},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"key_id": "another"},
    ],
    ids=str,
)
def test_a_token_with_one_wrong_thing_is_refused(guarded: str, key: Key, changes: dict[str, Any]) -> None:
    assert refused(asked(guarded, key.token(**changes))) == WRONG


def test_another_account_differs_from_a_wrong_token(guarded: str, key: Key) -> None:
    forbidden = (403, "account-forbidden", 'Bearer error="insufficient_scope"')
    assert refused(asked(guarded, key.token(email="he@example.org"))) == forbidden
    assert refused(asked(guarded, key.token(email=None))) == forbidden


def test_a_token_of_another_key_under_the_same_name_is_refused(guarded: str) -> None:
    assert refused(asked(guarded, Key().token())) == WRONG


def test_a_token_without_a_signature_or_of_another_kind_is_refused(guarded: str, key: Key) -> None:
    head, claims, signature = key.token().split(".")
    none = _part({"alg": "none", "kid": KEY_ID})
    public_key_as_secret = _part({"alg": "HS256", "kid": KEY_ID})
    for token in (
        f"{none}.{claims}.",
        f"{none}.{claims}.{signature}",
        f"{public_key_as_secret}.{claims}.{signature}",
        f"{head}.{_part({'email': ME})}.{signature}",
        f"{head}.{claims}",
        f"{head}.{claims}.{signature}.{signature}",
        f"{head}.{claims}.{signature}=",
    ):
        assert refused(asked(guarded, token)) == WRONG


def test_what_is_far_too_long_is_not_even_looked_at(fresh: str, certificates: Certificates) -> None:
    deep = urlsafe_b64encode(b"[" * 20_000).decode().rstrip("=")
    assert refused(asked(fresh, f"{deep}.{deep}.x")) == WRONG
    assert certificates.asked == 0


def _part(claims: object) -> str:
    return urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


_SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=9)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["alg", "kid", "exp", "iat", "aud"]), inner)
    ),
    max_leaves=6,
)


@given(header=_JSON, claims=_JSON, signature=st.binary(max_size=40))
def test_rubbish_in_any_place_is_a_wrong_token(
    google: Certificates, header: object, claims: object, signature: bytes
) -> None:
    google.answer = google.fresh
    token = f"{_part(header)}.{_part(claims)}.{urlsafe_b64encode(signature + b'x').decode().rstrip('=')}"
    with pytest.raises(Problem) as caught:
        asyncio.run(GoogleAccounts(AUDIENCE, (ME,)).admit(token.encode()))
    assert caught.value.kind == "token-wrong"


# ---- Certificates


def test_certificates_are_fetched_once_for_many(fresh: str, key: Key, certificates: Certificates) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: asked(fresh, key.token()), range(16)))
    assert [answer.status for answer in answers] == [200] * 16
    for answer in answers:
        answer.leave()
    assert certificates.asked == 1


@pytest.mark.parametrize(
    ("headers", "kept_s"),
    [
        ({"Cache-Control": "public, max-age=300, must-revalidate"}, 300),
        ({"Cache-Control": "max-age=300", "Age": "100"}, 200),
        ({"Cache-Control": "max-age=300", "Age": "soon"}, 300),
        ({"Cache-Control": "no-store"}, KEEP_S[0]),
        ({}, KEEP_S[0]),
        ({"Cache-Control": "max-age=999999999"}, KEEP_S[1]),
    ],
)
def test_certificates_are_kept_as_long_as_allowed(
    certificates: Certificates, headers: dict[str, str], kept_s: int
) -> None:
    certificates.answer = JSONResponse({}, headers=headers)
    now = 1000.0
    fetch = _Certificates(lambda: now)
    url = id_token._GOOGLE_OAUTH2_CERTS_URL
    for later_s, asked in ((0, 1), (kept_s - 1, 1), (kept_s, 2), (2 * kept_s - 1, 2)):
        now = 1000.0 + later_s
        assert fetch(url).status == 200
        assert certificates.asked == asked


@pytest.mark.parametrize(
    "answer",
    [Response("no", 500), Response("<html>"), JSONResponse([]), Response(status_code=204)],
    ids=["500", "a page", "a list", "nothing"],
)
def test_without_certificates_the_answer_says_to_come_back(
    fresh: str, key: Key, certificates: Certificates, answer: Response
) -> None:
    certificates.answer = answer
    for _ in range(2):
        reply = asked(fresh, key.token())
        assert reply.headers["Retry-After"] == str(RETRY_S)
        assert (reply.status, reply.json()["type"]) == (
            503,
            "urn:streamproof:problem:certificates-unreachable",
        )
    assert certificates.asked == 1, "they are not asked for at each request"


def test_after_a_while_they_are_asked_for_again(certificates: Certificates) -> None:
    now = 0.0
    fetch = _Certificates(lambda: now)
    certificates.answer = Response("no", 500)
    with pytest.raises(TransportError):
        fetch(id_token._GOOGLE_OAUTH2_CERTS_URL)
    now, certificates.answer = RETRY_S, certificates.fresh
    assert fetch(id_token._GOOGLE_OAUTH2_CERTS_URL).status == 200


def test_unreachable_certificates_let_no_token_in(
    serve: Serve, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(id_token, "_GOOGLE_OAUTH2_CERTS_URL", "http://127.0.0.1:1/certs")
    assert asked(serve(create_app(settings())), key.token()).status == 503


# ---- Beside a token of the service's own, and by half


def test_either_a_token_or_an_account_lets_in(certificates: Certificates, serve: Serve, key: Key) -> None:
    digest = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"  # of "foo"
    base = serve(create_app(settings(token_sha256=digest)))
    assert asked(base, "foo").status == 200
    assert certificates.asked == 0
    assert asked(base, key.token()).status == 200
    assert refused(asked(base, "fool")) == WRONG
    missing = asked(base, None)
    assert "the token that the deployment printed, or a Google ID token" in missing.json()["detail"]


@pytest.mark.parametrize(
    ("half", "names"),
    [
        ({"google_audience": AUDIENCE}, "STREAMPROOF_GOOGLE_EMAILS"),
        ({"google_emails": (ME,)}, "STREAMPROOF_GOOGLE_AUDIENCE"),
    ],
)
def test_half_of_the_settings_is_refused_at_start(half: dict[str, Any], names: str) -> None:
    with pytest.raises(SettingsError, match=f"{names} must"):
        create_app(Settings(**half))


@pytest.mark.parametrize("package", ["google.auth", "requests"])
def test_without_the_package_the_start_says_so(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.google_accounts.installed", lambda name: name != package)
    with pytest.raises(SettingsError, match="google-auth and requests must be installed"):
        create_app(settings())


def test_no_log_line_holds_a_token_or_an_address(guarded: str, key: Key, log_lines: list[str]) -> None:
    token = key.token(email="he@example.org")
    for one in (token, key.token()):
        asked(guarded, one).read()
    text = "\n".join(log_lines)
    assert "end=account-forbidden" in text
    assert token not in text
    assert "example.org" not in text


def test_nothing_of_googles_is_imported_before_a_token_comes() -> None:
    code = (
        "import sys; from service.app import create_app; from service.settings import Settings;"
        f"create_app(Settings(google_audience='{AUDIENCE}', google_emails=('{ME}',)));"
        "sys.exit('google.auth' in sys.modules or 'requests' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
