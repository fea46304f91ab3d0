"""Every line of gcloud that the kit can build, against `gcloud-flags.json`: what gcloud takes."""

from __future__ import annotations

import asyncio
import inspect
import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.cloud import logs
from kit.cloud.preflight import check
from kit.cloud.tokens import identity_token
from kit.config import Config
from kit.errors import Code, KitError
from kit.platforms import load
from kit.platforms.app_engine import commands as app_engine
from kit.platforms.cloud_run import commands as cloud_run
from kit.platforms.command import Command
from kit.platforms.gcloud import leftovers
from kit.platforms.gcloud.runner import Gcloud
from kit.platforms.gke import commands as gke
from kit.platforms.service import Place
from kit.targets import get
from tests.fixtures.tools import Tool
from tests.kit.platforms.gcloud_flags import FILE, listed
from tests.kit.platforms.gke.cluster import PLACE
from tests.kit.platforms.recorder import Recorder, recorded
from tests.kit.platforms.releases import FLEX, RUN, STANDARD, release

LIST: dict[str, Any] = json.loads(FILE.read_text())
URL = "gs://a-bucket/services/streamproof/**"
IMAGE = "europe-west1-docker.pkg.dev/demo-project/cloud-run-source-deploy/streamproof"

# Of the functions that build a line those whose program is another.
KUBECTL = {
    f"gke.{name}"
    for name in (
        *("_kubectl", "get", "get_namespace", "get_everywhere", "apply", "rollout", "wait_for_front"),
        *("delete", "delete_version", "delete_pods", "delete_namespace", "forward"),
    )
}
# What a person is given to paste.
LEFT_OVER = (
    "compute forwarding-rules delete a --global --project=demo-project",
    "compute network-endpoint-groups delete a --zone=europe-west1-b --project=demo-project",
)

# One call of each function that builds a line, for the flags' sake; `deploy` has a test of its own.
BUILT: dict[str, Command] = {
    "app_engine.deploy": app_engine.deploy(release(FLEX)),
    "app_engine.describe_app": app_engine.describe_app(FLEX),
    "app_engine.list_versions": app_engine.list_versions(FLEX),
    "app_engine.describe_version": app_engine.describe_version(FLEX, "sp-1"),
    "app_engine.set_traffic": app_engine.set_traffic(FLEX, "sp-1"),
    "app_engine.start_version": app_engine.start_version(FLEX, "sp-1"),
    "app_engine.stop_version": app_engine.stop_version(FLEX, "sp-1", "sp-2"),
    "app_engine.delete_versions": app_engine.delete_versions(FLEX, "sp-1", "sp-2"),
    "app_engine.delete_service": app_engine.delete_service(FLEX),
    "app_engine.browse": app_engine.browse(FLEX),
    "cloud_run.proxy": cloud_run.proxy(RUN),
    "cloud_run.deploy": cloud_run.deploy(release(RUN, secrets={"A": "a:1"})),
    "cloud_run.describe_service": cloud_run.describe_service(RUN),
    "cloud_run.list_revisions": cloud_run.list_revisions(RUN),
    "cloud_run.read_policy": cloud_run.read_policy(RUN),
    "cloud_run.list_secrets": cloud_run.list_secrets("demo-project"),
    "cloud_run.read_secret_policy": cloud_run.read_secret_policy("demo-project", "openai"),
    "cloud_run.update_traffic": cloud_run.update_traffic(RUN, "streamproof-sp-1"),
    "cloud_run.remove_tags": cloud_run.remove_tags(RUN, "sp-1", "sp-2"),
    "cloud_run.add_invoker": cloud_run.add_invoker(RUN),
    "cloud_run.delete_revision": cloud_run.delete_revision(RUN, "streamproof-sp-1"),
    "cloud_run.delete_service": cloud_run.delete_service(RUN),
    "gke.list_clusters": gke.list_clusters("demo-project"),
    "gke.create_cluster": gke.create_cluster(PLACE),
    "gke.get_credentials": gke.get_credentials(PLACE, gke.kubeconfig()),
    "gke.describe_cluster": gke.describe_cluster(PLACE),
    "gke.delete_cluster": gke.delete_cluster(PLACE),
    "gke.describe_repository": gke.describe_repository(PLACE),
    "gke.create_repository": gke.create_repository(PLACE),
    "gke.build": gke.build(release(PLACE)),
    "gke.list_forwarding_rules": gke.list_forwarding_rules(PLACE),
    "gke.list_endpoint_groups": gke.list_endpoint_groups(PLACE),
    **{f"gke: {words}": Command(tuple(words.split())) for words in LEFT_OVER},
    "leftovers.list_images": leftovers.list_images(RUN, IMAGE),
    "leftovers.delete_image": leftovers.delete_image(RUN, IMAGE),
    "leftovers.list_objects": leftovers.list_objects(RUN, URL),
    "leftovers.delete_objects": leftovers.delete_objects(RUN, URL),
    "logs.read_logs": logs.read_logs(RUN, limit=20, version="sp-1"),
    "logs.read_logs on App Engine": logs.read_logs(FLEX, limit=20, version="sp-1"),
}


def wrong(command: Command, known: Mapping[str, Any] = LIST) -> list[str]:
    """What gcloud would not take of a line, in words; empty when it takes it all."""
    depth = next((n for n in (4, 3, 2, 1) if " ".join(command.words[:n]) in known["commands"]), 0)
    if not depth:
        return [f"no such command: {command.line}"]
    known_flags = known["commands"][" ".join(command.words[:depth])]
    rest = command.words[depth:]
    positionals = [word for word in rest if not word.startswith("-")]
    said = [
        found
        for word in rest
        if word.startswith("-")
        for found in _wrong_flag(word, known_flags["flags"], known)
    ]
    least = sum(each["nargs"] in ("1", "+") for each in known_flags["positionals"])
    most = (
        99
        if any(each["nargs"] in ("*", "+") for each in known_flags["positionals"])
        else len(known_flags["positionals"])
    )
    if not least <= len(positionals) <= most:
        said.append(f"{len(positionals)} positionals where {least} to {most} are taken: {positionals}")
    return said


def _wrong_flag(word: str, flags: Mapping[str, Any], known: Mapping[str, Any]) -> list[str]:
    name, equals, value = word.partition("=")
    if name in known["global_flags"]:
        return (
            [] if bool(equals) is (name != "--quiet") else [f"{word}: a value where none is taken, or none"]
        )
    kind = flags.get(name) or (flags.get(f"--{name[5:]}") == "bool" and name.startswith("--no-") and "bool")
    if not kind:
        return [f"no such flag: {word}"]
    if (kind == "bool") is bool(equals):
        return [f"{word}: a value where none is taken, or none where one is"]
    if isinstance(kind, list) and value not in kind:
        return [f"{word}: not one of {kind}"]
    if kind == "int" and not value.isdigit():
        return [f"{word}: no whole number"]
    if kind == "dict" and not all("=" in part for part in parts(value)):
        return [f"{word}: not NAME=VALUE everywhere"]
    return []


def parts(value: str) -> list[str]:
    """A list as gcloud splits it (`gcloud topic escaping`)."""
    if value.startswith("^"):
        delimiter, _, value = value[1:].partition("^")
        return value.split(delimiter)
    return value.split(",")


@pytest.mark.parametrize("name", BUILT)
def test_gcloud_takes_each_line(name: str) -> None:
    assert wrong(BUILT[name]) == []


def test_no_function_that_builds_a_line_is_left_out() -> None:
    builders = {
        f"{module.__name__.removesuffix('.commands').rpartition('.')[2]}.{name}"
        for module in (app_engine, cloud_run, gke, leftovers, logs)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and function.__annotations__["return"] == "Command"
    } - KUBECTL
    assert builders <= BUILT.keys()


@pytest.mark.parametrize(
    "words",
    [
        ("run", "fly", "me"),
        ("run", "deploy", "a", "b"),
        ("run", "deploy", "a", "--nonsense=1"),
        ("run", "deploy", "a", "--no-traffic=1"),
        ("run", "deploy", "a", "--cpu"),
        ("run", "deploy", "a", "--ingress=some"),
        ("run", "deploy", "a", "--labels=a=1,b"),
        ("app", "versions", "delete"),
        ("services", "list", "--page-size=many"),
        ("app", "describe", "--quiet=1"),
        ("app", "describe", "--project"),
    ],
    ids=" ".join,
)
def test_what_gcloud_would_not_take_is_seen(words: tuple[str, ...]) -> None:
    assert wrong(Command(words)) != []


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
settings = st.fixed_dictionaries(
    {},
    optional={
        "cpu": st.none() | st.floats(0.08, 8) | st.integers(1, 8),
        "memory": st.none() | st.from_regex(r"[1-9][0-9]{0,5}(Mi|Gi)", fullmatch=True),
        "concurrency": st.none() | st.integers(1, 1000),
        "timeout_s": st.none() | st.integers(1, 3600),
        "min_instances": st.none() | st.integers(0, 1000),
        "max_instances": st.none() | st.integers(1, 1000),
        "instances": st.none() | st.integers(1, 1000),
        "service_account": st.none() | st.just("") | st.just("me@demo-project.iam.gserviceaccount.com"),
        "instance_class": st.just("F2"),
        "nobody_knows": texts,
    },
)
variables = st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,20}", fullmatch=True), texts, max_size=5)


@given(settings, variables, st.booleans(), st.sampled_from([STANDARD, FLEX, RUN]))
def test_gcloud_takes_a_deployment_with_any_settings_and_variables(
    wanted: dict[str, object], environment: dict[str, str], creates: bool, place: Place
) -> None:
    build: Callable[..., Command] = cloud_run.deploy if place is RUN else app_engine.deploy
    command = build(release(place, settings=wanted, environment=environment, creates=creates))
    assert wrong(command) == []
    if place is RUN and environment:
        (flag,) = (word for word in command.words if word.startswith("--set-env-vars="))
        variables = dict(part.partition("=")[::2] for part in parts(flag.removeprefix("--set-env-vars=")))
        assert variables == environment, "each variable arrives as it is"


NO_APP = KitError(Code.NOT_READY_TO_DEPLOY, "The project has no App Engine app yet.", "Make one.")


def test_gcloud_takes_what_the_platforms_run() -> None:
    async def everything(gcloud: Gcloud) -> None:
        for place in (FLEX, RUN):
            there = load(place.platform).at(place, gcloud)
            found = await there.look()
            assert found is not None
            await there.promote(found.versions[1].name, print)
            await there.start(found.versions[1].name, print)
            await there.stop(found.versions[0].name, print)
            await there.open(print)
            assert [step.command for step in await there.removals()]

    recorder = Recorder(recorded())
    asyncio.run(everything(cast(Gcloud, recorder)))
    assert len(recorder.commands) > 12
    for command in recorder.commands:
        assert wrong(command) == []


def test_gcloud_takes_what_the_preflight_and_the_tokens_run() -> None:
    none = KitError(Code.NOT_FOUND_IN_CLOUD, "There is no such service.", "")
    recorder = Recorder({"services list": [], "app": NO_APP, "run": none})
    gcloud = cast(Gcloud, recorder)
    config = Config(project="demo-project", region="europe-west1")
    places = [(get(place.target), load(place.platform).at(place, gcloud)) for place in (STANDARD, FLEX, RUN)]
    found = asyncio.run(check(gcloud, config, places, said={"create_app": "europe-west1"}))
    asyncio.run(identity_token(gcloud, "https://streamproof.example.com"))
    asked = [question.command for question in found.questions if question.command is not None]
    assert {command.words[:2] for command in asked} >= {("app", "create"), ("services", "enable")}
    for command in (*recorder.commands, *asked):
        assert wrong(command) == []


def test_the_list_is_what_the_installed_gcloud_takes(tool: Tool) -> None:
    gcloud = tool("gcloud")
    installed = json.loads(
        subprocess.run([gcloud, "version", "--format=json"], capture_output=True, check=True).stdout
    )["Google Cloud SDK"]
    if installed != LIST["gcloud"]:
        pytest.skip(f"gcloud {LIST['gcloud']} is not installed: the list is for it, and {installed} is")
    commands = [" ".join(command.words[:4]) for command in BUILT.values()]
    used = sorted(name for name in LIST["commands"] if any(line.startswith(name) for line in commands))
    current = cast(dict[str, Any], listed(Path(gcloud), used))
    assert current["global_flags"] == LIST["global_flags"]
    assert current["commands"] == {name: LIST["commands"][name] for name in used}
