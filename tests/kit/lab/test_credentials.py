"""What somebody else's program is given: how to speak and where, never a credential."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.bundle import Start
from kit.lab.credentials import without_credentials
from kit.lab.lab import environment

CREDENTIALS = {
    "KIT_TOKEN": "1",
    "GOOGLE_APPLICATION_CREDENTIALS": "/adc.json",
    "CLOUDSDK_AUTH_ACCESS_TOKEN": "1",
    "CLOUDSDK_CONFIG": "/gcloud",
    "AWS_SECRET_ACCESS_KEY": "1",
    "GITHUB_TOKEN": "1",
    "OPENAI_API_KEY": "1",
    "MY_PASSWORD": "1",
    "db_passwd": "1",
    "HTTPS_PROXY": "http://user:word@proxy:3128",
}
HARMLESS = {"PATH": "/bin", "LANG": "C", "HTTP_PROXY": "http://proxy:3128", "HOME": "mine", "KEYBOARD": "us"}
INSTALLERS = {"PIP_INDEX_URL": "https://user:word@index/", "UV_INDEX_MINE_PASSWORD": "1"}


def test_credentials_are_left_out_and_nothing_else() -> None:
    assert without_credentials({**CREDENTIALS, **INSTALLERS, **HARMLESS}) == HARMLESS


def test_an_installer_keeps_its_own_way_to_a_private_index() -> None:
    kept = without_credentials({**CREDENTIALS, **INSTALLERS, **HARMLESS}, installing=True)
    assert kept == {**INSTALLERS, **HARMLESS, "HTTPS_PROXY": CREDENTIALS["HTTPS_PROXY"]}


def test_a_users_own_app_finds_no_credential_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    start = Start(("gunicorn",), {"MODEL": "small"})

    def found(own: bool) -> dict[str, str]:
        return environment(start, port=1, programs=Path("/bin"), home=Path("/home"), own=own)

    assert not found(own=True).keys() & CREDENTIALS.keys()
    assert found(own=True)["MODEL"] == "small"
    assert "GOOGLE_APPLICATION_CREDENTIALS" in found(own=False)
