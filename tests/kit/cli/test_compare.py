from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.cloud.record import Record
from kit.errors import Code, KitError
from kit.platforms.command import Command
from kit.platforms.service import Place
from tests.fixtures.deployments import deployed, service_of
from tests.fixtures.origin import Origin
from tests.fixtures.wire import events, passing, wire
from tests.kit.cli.conftest import Invoke
from tests.kit.flows.hosts import FakeGcloud, MemoryHost


def test_a_targets_name_brings_its_promise_and_another_name_none(
    invoke: Invoke, origin: Origin, tmp_path: Path
) -> None:
    url, known = origin(tokens_per_s=60), tmp_path / "known.toml"
    known.write_text('[[known]]\nlane = "run on"\nmissed = "delivered"\nverdict = "whole-message"\n')
    given = ("--arm", "on", "--write-baseline", str(known), "--json")
    ended = invoke("compare", f"run={url}", f"mine={url}", *given)
    assert ended.status == 0
    assert "[[known]]" not in known.read_text(), "what is kept again is no more known as missed"
    lanes = {lane["target"]: lane for lane in ended.data["lanes"]}
    assert (lanes["run"]["expected"], lanes["run"]["as_expected"]) == ("incremental", True)
    assert (lanes["mine"]["expected"], lanes["mine"]["as_expected"]) == (None, None)
    assert ended.data["environment"] == "url"


def test_a_service_without_the_kits_switch_is_asked_once_and_told_as_it_is(
    invoke: Invoke, origin: Origin
) -> None:
    with wire(passing(origin("tests.fixtures.foreign:app"))) as way:
        for options in ((), ("--accel-header", "both")):
            ended = invoke(
                "compare", f"app={way.url}/chat?accel=no", f"bare={way.url}/chat", *options, "--json"
            )
            assert [(one["target"], one["header"]) for one in ended.data["lanes"]] == [
                ("app", "on"),
                ("bare", "off"),
            ]
        assert [one.path for one in way.asked].count("/chat") == 4


def test_every_lane_is_asked_as_the_request_options_say(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text('{"q": 1}')
    with wire(events((0.0, b"data: 1\n\n"))) as way:
        invoke("compare", f"a={way.url}/chat", "-X", "PUT", "-H", "X-Mine: yes", "-d", "@body.json", "--json")
        (asked,) = [one for one in way.asked if one.path == "/chat"]
    assert (asked.method, asked.headers["x-mine"]) == ("PUT", "yes")
    assert asked.headers["content-type"] == "application/json"


def test_urls_alone_are_lanes_with_names_of_their_own(invoke: Invoke) -> None:
    with wire(events((0.0, b"data: 1\n\n"))) as way:
        ended = invoke("compare", f"{way.url}/chat?key=s3cret", f"{way.url}/chat?key=another", "--json")
    name = f"{way.url.removeprefix('http://')}/chat"
    assert [lane["target"] for lane in ended.data["lanes"]] == [name, f"{name} (2)"]


def test_the_kits_own_service_is_measured_with_the_header_and_without(invoke: Invoke, origin: Origin) -> None:
    ended = invoke("compare", f"run={origin(tokens_per_s=60)}", "--json")
    assert [(one["target"], one["header"]) for one in ended.data["lanes"]] == [("run", "on"), ("run", "off")]


def test_a_lane_that_fails_leaves_the_others_their_verdicts(invoke: Invoke, origin: Origin) -> None:
    ended = invoke(
        "compare",
        f"run={origin()}",
        "gone=http://127.0.0.1:1",
        "--arm",
        "on",
        "--json",
        "--junit",
        "report.xml",
    )
    assert ended.status == 1
    # A lane each, and the two quick clauses of the one that can be asked.
    assert 'tests="4" failures="0" errors="1"' in Path("report.xml").read_text()
    run, gone = ended.data["lanes"]
    assert [one["clause"] for one in run["clauses"]] == ["cancelled", "many"]
    assert gone["clauses"] == []
    lanes = {lane["target"]: lane for lane in ended.data["lanes"]}
    assert lanes["gone"]["error"]["code"] == "unreachable"
    assert lanes["run"]["verdict"] == "incremental"


def test_a_promise_not_kept_exits_3(invoke: Invoke, origin: Origin) -> None:
    ended = invoke("compare", f"standard={origin()}", "--arm", "on")
    assert ended.status == 3
    assert "standard on" in ended.out


def test_by_polling_there_is_a_lane_more_for_each_target_which_is_to_arrive_as_written(
    invoke: Invoke, origin: Origin
) -> None:
    url = origin()
    ended = invoke("compare", f"standard={url}", f"mine={url}", "--arm", "off", "--polling", "--json")
    assert ended.status == 3, "nothing holds the stream that Standard would hold"
    assert [
        (lane["target"], lane["header"], lane["delivery"], lane["expected"], lane["verdict"])
        for lane in ended.data["lanes"]
    ] == [
        ("standard", "off", "stream", "whole-message", "incremental"),
        ("standard", "on", "polling", "incremental", "incremental"),
        ("mine", "off", "stream", None, "incremental"),
        ("mine", "on", "polling", None, "incremental"),
    ]


def test_its_twin_whose_pieces_come_only_at_the_end_exits_3_and_is_named(
    invoke: Invoke, origin: Origin
) -> None:
    url = origin("tests.fixtures.apps:all_at_once")
    ended = invoke("compare", f"run={url}", "--arm", "on", "--polling")
    assert ended.status == 3
    said = " ".join(ended.out.split())
    assert "1 of 2 as expected run polling: all at the end, not as expected (arrived as written)" in said


def test_a_service_without_polling_fails_its_lane_and_no_other(invoke: Invoke, origin: Origin) -> None:
    ended = invoke("compare", f"run={origin('tests.fixtures.apps:streams_only')}", "--polling", "--json")
    assert ended.status == 1
    *streams, polling = ended.data["lanes"]
    assert [lane["as_expected"] for lane in streams] == [True, True]
    assert polling["error"]["code"] == "no-polling"


@pytest.fixture
def gcloud(monkeypatch: pytest.MonkeyPatch) -> list[Command]:
    """A gcloud that gives an identity token for whatever it is asked; what it was asked."""
    gcloud = FakeGcloud("aaa.bbb.ccc")

    def host_of(place: Place) -> MemoryHost:
        host = MemoryHost(place)
        known = Record.load(Path()).of(place.target)
        assert known is not None
        host.service = service_of(place.target, place=place, url=known.url, public=known.public)
        return host

    monkeypatch.setattr("kit.cli.records.gcloud", lambda: gcloud)
    monkeypatch.setattr("kit.cli.records.hosts", lambda _: host_of)
    return gcloud.commands


def test_what_is_deployed_is_measured_in_both_arms_by_its_promise(
    invoke: Invoke, origin: Origin, gcloud: list[Command], tmp_path: Path
) -> None:
    Record.load(tmp_path).put(deployed("run", url=origin(tokens_per_s=100)))
    ended = invoke("compare", "--deployed", "--json")
    assert ended.status == 0
    assert ended.data["environment"] == "cloud"
    assert [(lane["target"], lane["header"], lane["expected"]) for lane in ended.data["lanes"]] == [
        ("run", "on", "incremental"),
        ("run", "off", "incremental"),
    ]
    assert [command.words[:2] for command in gcloud] == [("auth", "print-identity-token")]
    assert "aaa.bbb.ccc" not in ended.out + ended.err


def test_only_the_deployed_targets_that_were_named_are_measured(
    invoke: Invoke, origin: Origin, gcloud: list[Command], tmp_path: Path
) -> None:
    record = Record.load(tmp_path)
    record.put(deployed("run", url=origin(tokens_per_s=100), public=True))
    record.put(deployed("flex", url="http://127.0.0.1:1"))
    ended = invoke("compare", "--deployed", "run", "--arm", "on", "--json")
    assert [lane["target"] for lane in ended.data["lanes"]] == ["run"]
    assert gcloud == [], "what is public is measured without gcloud"


def test_a_deployment_without_a_url_is_left_out_and_said_so(
    invoke: Invoke, origin: Origin, gcloud: list[Command], tmp_path: Path
) -> None:
    record = Record.load(tmp_path)
    record.put(deployed("flex", url=None, state="failed"))
    record.put(deployed("run", url=origin(tokens_per_s=100), public=True))
    ended = invoke("compare", "--deployed", "--arm", "on", "--json")
    assert ended.status == 0
    assert json.loads(ended.out)["warnings"] == ["flex has no URL yet, and was not measured"]


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (["--deployed"], "nothing-deployed", 1),
        (["--deployed", "run"], "nothing-deployed", 1),
        (["--deployed", "ruun"], "unknown-target", 2),
        (["--deployed", "run=http://127.0.0.1:1"], "bad-usage", 2),
        ([], "bad-usage", 2),
    ],
)
def test_where_there_is_nothing_to_measure_that_is_one_sentence(
    invoke: Invoke, gcloud: list[Command], arguments: list[str], code: str, status: int
) -> None:
    ended = invoke("compare", *arguments, "--json")
    assert (ended.status, ended.error["code"]) == (status, code)


def test_what_wants_a_token_that_is_not_at_hand_is_told_before_it_is_asked(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gcloud: list[Command]
) -> None:
    Record.load(tmp_path).put(deployed("run", token_sha256="ab" * 32))
    ended = invoke("compare", "--deployed", "--json")
    assert ended.status == 1
    assert ended.error["message"] == "What is deployed (run) wants a token, and KIT_TOKEN is not set."
    monkeypatch.setenv("KIT_TOKEN", "another-token")
    ended = invoke("compare", "--deployed", "--json")
    assert ended.error["message"] == "What is deployed (run) wants a token, and KIT_TOKEN holds another."
    assert gcloud == []


def test_what_is_said_while_gcloud_is_asked_stands_within_the_picture(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, gcloud: list[Command], tmp_path: Path
) -> None:
    async def asks(*_: object, say: Callable[[str], None], **__: object) -> None:
        say("The app says how it is asked.")
        raise KitError(Code.UNREACHABLE, "Enough.", "")

    monkeypatch.setattr("kit.flows.deployed.asks", asks)
    Record.load(tmp_path).put(deployed("run"))
    ended = invoke("compare", "--deployed")
    assert ended.err.splitlines()[:2] == [
        "Asking gcloud for what lets you in.",
        "The app says how it is asked.",
    ]
