from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit.cloud.record import Record
from tests.fixtures.deployments import deployed
from tests.kit.cli.conftest import Invoke


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a browser was opened for, as on a machine with a screen."""
    urls: list[str] = []

    def browse(url: str) -> bool:
        urls.append(url)
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    monkeypatch.setattr("kit.cli.open._is_seen", lambda: True)
    return urls


def test_before_a_screen_the_url_is_printed_and_opened(
    invoke: Invoke, opened: list[str], tmp_path: Path
) -> None:
    Record.load(tmp_path).put(deployed("flex"))
    ended = invoke("open", "flex")
    assert (ended.status, ended.out) == (0, "https://sp-flex.example.org\n")
    assert "gcloud app browse --service=sp-flex --project=my-project-42 --no-launch-browser" in ended.err
    assert opened == ["https://sp-flex.example.org"]


@pytest.mark.parametrize("how", ["--print", "--json"])
def test_whoever_wants_the_url_only_gets_that(
    invoke: Invoke, opened: list[str], tmp_path: Path, how: str
) -> None:
    Record.load(tmp_path).put(deployed("flex"))
    ended = invoke("open", "flex", how)
    assert (ended.status, ended.err, opened) == (0, "", [])
    assert "https://sp-flex.example.org" in ended.out


def test_off_a_terminal_no_browser_is_opened(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda _: pytest.fail("a browser was opened"))
    monkeypatch.setenv("DISPLAY", ":0")
    Record.load(tmp_path).put(deployed("flex"))
    assert invoke("open", "flex").status == 0


def test_a_private_service_is_not_opened_but_told_how(
    invoke: Invoke, opened: list[str], tmp_path: Path
) -> None:
    Record.load(tmp_path).put(deployed("run"))
    ended = invoke("open", "run")
    assert (ended.status, ended.out, opened) == (0, "https://streamproof.example.org\n", [])
    assert (
        "gcloud run services proxy streamproof --region=europe-west1 --project=my-project-42 --port=8080"
    ) in ended.err
    assert invoke("open", "run", "--json").data["proxy"].startswith("gcloud run services proxy ")


@pytest.mark.parametrize("url", [None, "javascript:alert(1)", "file:///etc/passwd"])
def test_what_is_no_url_is_not_opened(
    invoke: Invoke, opened: list[str], tmp_path: Path, url: str | None
) -> None:
    Record.load(tmp_path).put(deployed("flex", url=url))
    ended = invoke("open", "flex", "--json")
    assert (ended.status, ended.error["code"], opened) == (1, "nothing-deployed", [])


def test_what_has_no_url_yet_is_reached_past_its_front_which_is_said(invoke: Invoke, tmp_path: Path) -> None:
    place: dict[str, Any] = {
        "target": "gke",
        "platform": "gke",
        "within": "c1/web",
        "service": "streamproof",
        "version": "sp-1",
        "url": None,
    }
    Record.load(tmp_path).put(replace(deployed("run"), **place))
    ended = invoke("open", "gke")
    assert ended.status == 1
    assert (
        'nothing measured there speaks for it: KUBECONFIG="$PWD/streamproof-kubeconfig" '
        "gcloud container clusters get-credentials c1 --location=europe-west1 --project=my-project-42 "
        '--quiet && KUBECONFIG="$PWD/streamproof-kubeconfig" kubectl port-forward '
        "deployment/streamproof-sp-1 8080:http "
    ) in ended.err
