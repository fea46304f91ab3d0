"""Cloud Run's lines as people would paste them, and gcloud's answers as the kit reads them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kit.platforms.cloud_run import commands as cloud_run
from kit.platforms.command import Command
from kit.platforms.service import Service, Version
from tests.kit.platforms.releases import DIGEST, RUN, answer, release

SERVICE = answer("run-services-describe")
REVISIONS = answer("run-revisions-list")
POLICY = answer("run-services-get-iam-policy")
FIRST, SECOND = "streamproof-sp-toxissz0", "streamproof-sp-toxit8wo"
SETTINGS = {
    "service": "streamproof",
    "cpu": 1,
    "memory": "512Mi",
    "concurrency": 80,
    "timeout_s": 300,
    "min_instances": 0,
    "max_instances": 1,
    "service_account": "",
}


def test_a_new_service_starts_private_and_with_traffic_since_it_must() -> None:
    assert cloud_run.deploy(release(RUN, settings=SETTINGS, creates=True)).line == (
        "gcloud run deploy streamproof --source=build/run --no-allow-unauthenticated --tag=sp-toxit8wo "
        "--revision-suffix=sp-toxit8wo "
        f"--set-env-vars=STREAMPROOF_PROOF_UNTIL=1795397516,STREAMPROOF_BUNDLE={DIGEST} "
        f"--labels=streamproof-target=run,streamproof-bundle={DIGEST},"
        "streamproof-app=streamproof "
        "--cpu=1 --memory=512Mi --concurrency=80 --timeout=300 --min-instances=0 --max-instances=1 "
        "--region=europe-west1 --project=demo-project --quiet"
    )


def test_a_service_that_lives_is_never_closed_and_its_new_revision_takes_no_traffic() -> None:
    words = cloud_run.deploy(release(RUN, settings=SETTINGS)).words
    assert "--no-traffic" in words
    assert not any("allow-unauthenticated" in word for word in words)


def test_a_preview_takes_the_tag_of_its_name_without_traffic() -> None:
    one = release(RUN, settings=SETTINGS, version="sp-pr-12-a1b2", preview="pr-12")
    words = cloud_run.deploy(one).words
    assert {"--no-traffic", "--tag=pr-12", "--revision-suffix=sp-pr-12-a1b2"} <= set(words)


def test_a_preview_is_known_by_its_variable_and_by_the_tag_that_leads_there() -> None:
    marked = replace_variables(REVISIONS, {"STREAMPROOF_PREVIEW": "pr-12"})
    found = cloud_run.parse_service(RUN, SERVICE, marked, POLICY)
    assert {version.preview for version in found.versions} == {"pr-12"}
    plain = cloud_run.parse_service(RUN, SERVICE, REVISIONS, POLICY)
    assert {version.preview for version in plain.versions} == {None}
    tags = cloud_run.parse_tags(SERVICE)
    assert {tag: v.name for v in plain.versions for tag in v.tags} == tags != {}


def replace_variables(revisions: Any, variables: dict[str, str]) -> Any:
    """The revisions with these variables."""
    entries = [{"name": name, "value": value} for name, value in variables.items()]
    return [{**one, "spec": {"containers": [{"env": entries}]}} for one in revisions]


def test_settings_that_nobody_set_are_left_out() -> None:
    words = cloud_run.deploy(release(RUN, settings={"cpu": None, "service_account": ""})).words
    assert not any(word.startswith(("--cpu", "--service-account", "--memory")) for word in words)


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (
            cloud_run.describe_service(RUN),
            "run services describe streamproof --region=europe-west1 --project=demo-project --quiet "
            "--format=json",
        ),
        (
            cloud_run.list_revisions(RUN),
            "run revisions list --service=streamproof --region=europe-west1 --project=demo-project --quiet "
            "--format=json",
        ),
        (
            cloud_run.read_policy(RUN),
            "run services get-iam-policy streamproof --region=europe-west1 --project=demo-project --quiet "
            "--format=json",
        ),
        (
            cloud_run.update_traffic(RUN, FIRST),
            "run services update-traffic streamproof --to-revisions=streamproof-sp-toxissz0=100 "
            "--region=europe-west1 --project=demo-project --quiet",
        ),
        (
            cloud_run.remove_tags(RUN, "sp-toxissz0", "sp-toxit8wo"),
            "run services update-traffic streamproof --remove-tags=sp-toxissz0,sp-toxit8wo "
            "--region=europe-west1 --project=demo-project --quiet",
        ),
        (
            cloud_run.add_invoker(RUN),
            "run services add-iam-policy-binding streamproof --member=allUsers --role=roles/run.invoker "
            "--region=europe-west1 --project=demo-project --quiet",
        ),
        (
            cloud_run.delete_revision(RUN, FIRST),
            "run revisions delete streamproof-sp-toxissz0 --region=europe-west1 --project=demo-project "
            "--quiet",
        ),
        (
            cloud_run.delete_service(RUN),
            "run services delete streamproof --region=europe-west1 --project=demo-project --quiet",
        ),
    ],
    ids=lambda value: "" if isinstance(value, Command) else " ".join(str(value).split()[:3]),
)
def test_each_line_can_be_pasted(command: Command, line: str) -> None:
    assert command.line == f"gcloud {line}"
    assert command.changes is ("--format=json" not in line)


def test_a_service_is_read_with_its_revisions_newest_first() -> None:
    service = cloud_run.parse_service(RUN, SERVICE, REVISIONS, POLICY)
    assert service.url == "https://streamproof-dot-demo-project.appspot.test"
    assert service.public is True
    assert service.ours
    assert service.serving == service.versions[0]
    assert service.versions == (
        Version(
            name=SECOND,
            url="https://sp-toxit8wo---streamproof-dot-demo-project.appspot.test",
            created_at="2026-11-23T00:31:56.476Z",
            traffic=1.0,
            running=True,
            target="run",
            digest=DIGEST,
            tags=("sp-toxit8wo",),
        ),
        Version(
            name=FIRST,
            url="https://sp-toxissz0---streamproof-dot-demo-project.appspot.test",
            created_at="2026-11-23T00:31:46.569Z",
            traffic=0.0,
            running=True,
            target="run",
            digest=DIGEST,
            tags=("sp-toxissz0",),
        ),
    )
    assert cloud_run.parse_tags(SERVICE) == {"sp-toxissz0": FIRST, "sp-toxit8wo": SECOND}


def test_a_revision_without_traffic_and_tag_neither_runs_nor_has_a_url() -> None:
    status = {**SERVICE["status"], "traffic": [{"percent": 100, "revisionName": SECOND}]}
    service = cloud_run.parse_service(RUN, {**SERVICE, "status": status}, REVISIONS, POLICY)
    assert [(version.running, version.url) for version in service.versions] == [(True, None), (False, None)]


def test_traffic_that_is_split_over_several_entries_adds_up() -> None:
    traffic = [
        {"percent": 30, "revisionName": FIRST, "tag": "old", "url": "https://old.test"},
        {"percent": 50, "revisionName": SECOND},
        {"percent": 20, "revisionName": SECOND, "latestRevision": True},
    ]
    service = cloud_run.parse_service(RUN, {**SERVICE, "status": {"traffic": traffic}}, REVISIONS, None)
    assert {version.name: version.traffic for version in service.versions} == {SECOND: 0.7, FIRST: 0.3}
    assert (service.url, service.public) == (None, None)


def test_a_revision_without_the_kits_label_is_somebody_elses() -> None:
    theirs = [{"metadata": {**one["metadata"], "labels": {"streamproof-bundle": "x"}}} for one in REVISIONS]
    service = cloud_run.parse_service(RUN, SERVICE, theirs, POLICY)
    assert not service.ours
    assert {version.digest for version in service.versions} == {None}


@pytest.mark.parametrize(
    ("policy", "public"),
    [
        (None, None),
        ({"etag": "ACAB"}, False),
        ({"bindings": [{"role": "roles/run.invoker", "members": ["user:me@example.com"]}]}, False),
        ({"bindings": [{"role": "roles/run.viewer", "members": ["allUsers"]}]}, False),
        (
            {"bindings": [{"role": "roles/run.invoker", "members": ["allUsers"], "condition": {"x": 1}}]},
            False,
        ),
        ({"bindings": [{"role": "roles/run.invoker", "members": ["me", "allUsers"]}]}, True),
    ],
)
def test_public_is_what_everybody_may_call(policy: object, public: bool | None) -> None:
    assert cloud_run.parse_public(policy) is public


def test_a_service_that_does_not_ask_who_calls_is_public_whatever_its_policy() -> None:
    metadata = {**SERVICE["metadata"], "annotations": {"run.googleapis.com/invoker-iam-disabled": "true"}}
    assert cloud_run.parse_service(RUN, {**SERVICE, "metadata": metadata}, REVISIONS, None).public is True


def test_instances_that_are_kept_are_known_from_the_revision_and_from_the_service() -> None:
    kept = [
        {"metadata": {**one["metadata"], "annotations": {"autoscaling.knative.dev/minScale": "2"}}}
        for one in REVISIONS
    ]
    service = cloud_run.parse_service(RUN, SERVICE, kept, POLICY)
    assert [version.min_instances for version in service.versions] == [2, 2]
    metadata = {**SERVICE["metadata"], "annotations": {"run.googleapis.com/minScale": "1"}}
    service = cloud_run.parse_service(RUN, {**SERVICE, "metadata": metadata}, REVISIONS, POLICY)
    assert [version.min_instances for version in service.versions] == [1, 0], (
        "the service's are where it sends traffic"
    )


def version(name: str, traffic: float = 0.0, target: str | None = "run", app: str | None = None) -> Version:
    return Version(name, None, "2026-11-22T10:00:00Z", traffic, True, target, None, app=app)


TAGS = {"sp-1": "s-sp-1", "sp-2": "s-sp-2", "mine": "s-00001"}
PLACE = replace(RUN, service="s")


def plan(*versions: Version, only: tuple[str, ...] | None = None) -> list[str]:
    """The lines of what is to be removed; in words where nothing can be done."""
    steps = cloud_run.removals(Service(PLACE, None, False, versions), TAGS, only)
    where = " --region=europe-west1 --project=demo-project --quiet"
    return [step.what if step.command is None else step.command.line.removesuffix(where) for step in steps]


def test_a_service_that_is_all_ours_goes_as_a_whole() -> None:
    assert plan(version("s-sp-2", 1.0), version("s-sp-1")) == ["gcloud run services delete s"]


def test_what_was_there_before_the_kit_serves_again_and_our_newest_revision_stays_without_cost() -> None:
    assert plan(version("s-sp-2", 1.0), version("s-sp-1"), version("s-00001", target=None)) == [
        "gcloud run services update-traffic s --to-revisions=s-00001=100",
        "gcloud run services update-traffic s --remove-tags=sp-1,sp-2",
        "gcloud run revisions delete s-sp-1",
        "s-sp-2: the newest revision of a service cannot be deleted. Without traffic it costs nothing",
    ]


def test_what_the_kit_did_not_make_is_left_alone() -> None:
    assert plan(version("s-00002", 1.0, None), version("s-00001", target=None)) == []


def test_another_apps_revisions_are_left_alone_and_get_the_traffic() -> None:
    assert plan(version("s-sp-2", 1.0), version("s-sp-1", app="shop-1a2b3c4d")) == [
        "gcloud run services update-traffic s --to-revisions=s-sp-1=100",
        "gcloud run services update-traffic s --remove-tags=sp-2",
        "s-sp-2: the newest revision of a service cannot be deleted. Without traffic it costs nothing",
    ]


def test_a_single_revision_loses_its_tag_first() -> None:
    versions = (version("s-sp-2", 1.0), version("s-sp-1"))
    assert plan(*versions, only=("s-sp-1",)) == [
        "gcloud run services update-traffic s --remove-tags=sp-1",
        "gcloud run revisions delete s-sp-1",
    ]


def test_the_only_revision_is_not_taken_from_its_service() -> None:
    assert plan(version("s-sp-1", 1.0), only=("s-sp-1",)) == [
        "s-sp-1: it serves, and there is no other revision"
    ]


def test_the_hash_of_the_token_that_a_revision_wants_is_read_from_its_variables() -> None:
    assert {version.token_sha256 for version in parsed(REVISIONS)} == {None}
    container = {
        "env": [
            {"name": "FROM_SECRET_MANAGER", "valueFrom": {"secretKeyRef": {"name": "x"}}},
            {"name": "STREAMPROOF_TOKEN_SHA256", "value": "ab" * 32},
        ]
    }
    guarded = [{**one, "spec": {"containers": [container]}} for one in REVISIONS]
    assert {version.token_sha256 for version in parsed(guarded)} == {"ab" * 32}


def parsed(revisions: list[Any]) -> tuple[Version, ...]:
    return cloud_run.parse_service(RUN, SERVICE, revisions, POLICY).versions


def test_a_project_of_a_domain_is_found_where_gcloud_put_its_things() -> None:
    place = replace(RUN, project="example.com:google-demo")
    assert cloud_run.archives(place) == (
        "gs://run-sources-example_com_elgoog-demo-europe-west1/services/streamproof/**"
    )
    assert cloud_run.image(place).startswith("europe-west1-docker.pkg.dev/example.com/google-demo/")


def test_what_its_source_deploys_leave_lies_under_the_service_s_own_name() -> None:
    assert cloud_run.image(RUN) == (
        "europe-west1-docker.pkg.dev/demo-project/cloud-run-source-deploy/streamproof"
    )
    assert cloud_run.archives(RUN) == "gs://run-sources-demo-project-europe-west1/services/streamproof/**"
