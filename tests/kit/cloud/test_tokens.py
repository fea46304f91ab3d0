"""Who gets to see a token: the service whose URL gcloud named, over a way that no other can read."""

from __future__ import annotations

import asyncio
import base64
import json
import time

import pytest

from kit.cloud.tokens import AskedOnce, credentials, expiry, identity_token, renewed
from kit.errors import Code, KitError
from tests.kit.flows.hosts import TOKEN, FakeGcloud

URL = "https://streamproof-x-ew.a.run.app"
NOT_A_SERVICE_ACCOUNT = KitError(Code.NOT_SIGNED_IN, "Invalid account type for --audiences.", "…")


def test_a_service_accounts_token_is_bound_to_the_service() -> None:
    gcloud = FakeGcloud(f"{TOKEN}\n")
    assert asyncio.run(identity_token(gcloud, URL)) == TOKEN
    (command,) = gcloud.commands
    assert f"--audiences={URL}" in command.words


def test_a_persons_token_cannot_be_bound_and_is_had_all_the_same() -> None:
    gcloud = FakeGcloud(NOT_A_SERVICE_ACCOUNT, TOKEN)
    assert asyncio.run(identity_token(gcloud, URL)) == TOKEN
    assert gcloud.commands[-1].words == ("auth", "print-identity-token", "--quiet")


def test_an_account_that_gcloud_acts_for_is_named_for_here_gcloud_does_not_read_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    account = "ci@my-project-42.iam.gserviceaccount.com"
    monkeypatch.setenv("CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT", account)
    gcloud = FakeGcloud(TOKEN)
    asyncio.run(identity_token(gcloud, URL))
    (command,) = gcloud.commands
    assert {f"--impersonate-service-account={account}", f"--audiences={URL}"} < set(command.words)


def test_every_line_that_prints_a_token_is_marked_as_secret() -> None:
    gcloud = FakeGcloud(NOT_A_SERVICE_ACCOUNT, TOKEN)
    asyncio.run(identity_token(gcloud, URL))
    assert all(command.secret and not command.changes for command in gcloud.commands)


def test_somebody_who_is_not_signed_in_is_told_so() -> None:
    gone = KitError(Code.NOT_SIGNED_IN, "You are not signed in.", "gcloud auth login")
    with pytest.raises(KitError) as caught:
        asyncio.run(identity_token(FakeGcloud(gone, gone), URL))
    assert caught.value is gone


def test_any_other_failure_is_not_tried_again() -> None:
    broken = KitError(Code.CLOUD_UNAVAILABLE, "503.", "…")
    gcloud = FakeGcloud(broken)
    with pytest.raises(KitError) as caught:
        asyncio.run(identity_token(gcloud, URL))
    assert (caught.value, len(gcloud.commands)) == (broken, 1)


@pytest.mark.parametrize("printed", ["", "WARNING: hunter2", f"{TOKEN}\r\nx: y", "a.b", "a.b.c.d"])
def test_what_is_no_token_is_not_taken_for_one_nor_repeated(printed: str) -> None:
    with pytest.raises(KitError) as caught:
        asyncio.run(identity_token(FakeGcloud(printed), URL))
    assert "hunter2" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "http://streamproof-x-ew.a.run.app",
        "http://10.0.0.1",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "ftp://127.0.0.1",
        "https://",
        "",
    ],
)
def test_no_token_goes_where_others_could_read_it(url: str) -> None:
    gcloud = FakeGcloud()
    with pytest.raises(KitError):
        asyncio.run(identity_token(gcloud, url))
    assert not gcloud.commands, "it is not even asked for"
    with pytest.raises(KitError):
        credentials(url, identity=TOKEN)
    with pytest.raises(KitError):
        credentials(url, token="abc")
    assert credentials(url) == ()


@pytest.mark.parametrize("url", [URL, "http://127.0.0.1:8080", "http://[::1]:8080/x", "http://localhost:1"])
def test_each_token_has_its_own_header(url: str) -> None:
    assert dict(credentials(url, identity=TOKEN, token="abc")) == {
        "X-Serverless-Authorization": f"Bearer {TOKEN}",
        "Authorization": "Bearer abc",
    }


@pytest.mark.parametrize("token", ["", "a b", "a\r\nx: y", "ä"])
def test_a_token_that_would_break_the_request_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(KitError) as caught:
        credentials(URL, token=token)
    assert not token or token not in caught.value.message


@pytest.mark.parametrize(
    ("payload", "until"),
    [
        ({"exp": 1_700_003_600, "aud": URL}, 1_700_003_600.0),
        ({"exp": 1.5e9, "email": "a~?b@example.com"}, 1.5e9),
        ({"aud": "x"}, 0.0),
        ({"exp": None}, 0.0),
        (["exp"], 0.0),
    ],
)
def test_a_token_says_itself_until_when_it_is_good(payload: object, until: float) -> None:
    coded = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    assert expiry(credentials(URL, identity=f"e30.{coded}.c2ln", token="mine")) == until


def test_what_is_no_identity_token_expires_never_as_far_as_is_known() -> None:
    assert expiry(credentials(URL, token="a.b.c")) is None
    assert expiry(credentials(URL, identity="a.b.c")) == 0.0


def test_a_renewal_changes_the_identity_and_nothing_else() -> None:
    headers = credentials(URL, identity="a.b.c", token="mine")
    assert asyncio.run(renewed(headers, FakeGcloud(TOKEN), URL)) == credentials(
        URL, identity=TOKEN, token="mine"
    )


def lasting(seconds: float) -> str:
    """A token that is good for so long."""
    payload = json.dumps({"exp": time.time() + seconds}).encode()
    return f"e30.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.c2ln"


@pytest.mark.parametrize(("seconds", "starts"), [(3600, 1), (300, 2)])
def test_a_token_is_asked_for_once_while_it_is_good(seconds: float, starts: int) -> None:
    gcloud = FakeGcloud(lasting(seconds), lasting(seconds))
    once = AskedOnce(gcloud)
    for _ in range(2):
        asyncio.run(identity_token(once, URL))
    assert len(gcloud.commands) == starts


def test_a_persons_token_serves_for_all_services_and_each_is_asked_for_once() -> None:
    token = lasting(3600)
    gcloud = FakeGcloud(NOT_A_SERVICE_ACCOUNT, token, NOT_A_SERVICE_ACCOUNT)
    once = AskedOnce(gcloud)
    for url in (URL, URL, f"{URL}.example.com"):
        assert asyncio.run(identity_token(once, url)) == token
    assert len(gcloud.commands) == 3


def test_a_passing_trouble_is_not_remembered() -> None:
    once = AskedOnce(FakeGcloud(KitError(Code.GCLOUD_FAILED, "No network.", "…"), lasting(3600)))
    with pytest.raises(KitError, match="No network"):
        asyncio.run(identity_token(once, URL))
    assert asyncio.run(identity_token(once, URL))
