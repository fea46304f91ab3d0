"""What stands in the way of a deployment: each thing is one finding, with its remedy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kit.cloud.rules import judge, needed_apis
from kit.config import Config
from kit.errors import Code, KitError
from kit.platforms.findings import Candidate, Finding, PreflightOptions, Seen
from kit.platforms.service import Service, Version
from tests.fixtures.deployments import service_of, version
from tests.kit.cloud.seen import APIS, FLEX, PROJECT, RUN, STANDARD, TARGETS, apis, options, seen

NO_APP = dict.fromkeys(
    ("app", "app_versions"), KitError(Code.NOT_READY_TO_DEPLOY, "The project has no App Engine app yet.", "…")
)
API_OFF = KitError(Code.API_OFF, "The API run.googleapis.com is off.", "…")
DENIED = KitError(Code.PERMISSION_DENIED, "This account lacks it.\n  | more", "Ask an owner.")
READS = ("project", "billing", "apis", "app", "app_versions", "policy")
COMPUTE = "serviceAccount:123456789012-compute@developer.gserviceaccount.com"


def grave(
    there: Seen | None = None,
    targets: tuple[Candidate, ...] = TARGETS,
    said: PreflightOptions | None = None,
) -> list[Finding]:
    """What is more than a note, of a project in which all is well unless `there` has it otherwise."""
    found = judge(targets, said or options(), there or seen())
    return [finding for finding in found if finding.level != "note"]


def notes(there: Seen, *targets: Candidate) -> list[Finding]:
    return [finding for finding in judge(targets or TARGETS, options(), there) if finding.level == "note"]


def editors(*members: str) -> dict[str, Any]:
    return {"policy": {"bindings": [{"role": "roles/editor", "members": list(members)}]}}


def of(target: Candidate, **changes: Any) -> Candidate:
    """The same target in another place."""
    return replace(target, place=replace(target.place, **changes))


@pytest.mark.parametrize(
    ("there", "level", "said"),
    [
        ({"version": {"Google Cloud SDK": "419.0.0"}}, "stop", "gcloud components update"),
        ({"version": {"Google Cloud SDK": "420.0.0"}}, "warn", "gcloud components update"),
        ({"version": {"Google Cloud SDK": "527.9.9"}}, "warn", "gcloud components update"),
        ({"accounts": []}, "stop", "Sign in: `gcloud auth login`."),
        ({"accounts": [{"account": "somebody@example.com", "status": ""}]}, "stop", "gcloud auth login"),
        ({"project": {"lifecycleState": "DELETE_REQUESTED"}}, "stop", "gcloud projects undelete"),
        ({"billing": {"billingEnabled": False}}, "stop", f"linkedaccount?project={PROJECT}"),
        ({"billing": {"name": f"projects/{PROJECT}/billingInfo"}}, "stop", "linkedaccount"),
        (NO_APP, "stop", "--create-app"),
        ({"app": {"servingStatus": "USER_DISABLED"}}, "stop", "appengine/settings"),
        ({"looks": {"run": DENIED}}, "stop", "This account lacks it."),
        ({"app": DENIED}, "stop", "This account lacks it."),
        ({"app_versions": DENIED}, "stop", "This account lacks it."),
        *(({name: DENIED}, "warn", "It could not be seen ") for name in ("version", *READS[:3], "policy")),
        ({"billing": API_OFF}, "warn", "whether billing is on"),
    ],
)
def test_each_thing_that_is_wrong_is_one_finding_with_its_remedy(
    there: dict[str, Any], level: str, said: str
) -> None:
    (found,) = grave(seen(**there))
    assert (found.level, found.command) == (level, None)
    assert said in f"{found.text} {found.remedy}"
    assert level != "warn" or "\n" not in found.text


@pytest.mark.parametrize(
    ("there", "targets", "said"),
    [
        ({}, TARGETS, options()),
        ({"version": {"Google Cloud SDK": "578.0.0"}}, TARGETS, options()),
        ({"accounts": []}, TARGETS, options(signed_in_by_env=True)),
        ({}, TARGETS, options(said={"create_app": "europe-west"})),
        ({"app": None, "app_versions": None}, (RUN,), options()),
        (editors(COMPUTE), (replace(RUN, service_account="own@demo-project.iam.gserviceaccount.com"),), None),
        ({}, (of(STANDARD, project="p" * 30),), options(project="p" * 30)),
    ],
)
def test_where_nothing_is_wrong_nothing_is_said(
    there: dict[str, Any], targets: tuple[Candidate, ...], said: PreflightOptions | None
) -> None:
    assert grave(seen(**there), targets, said) == []


def test_a_project_that_was_not_named_for_this_is_asked_about() -> None:
    implied = options(project_implied=True, project_source="gcloud's configuration")
    (found,) = grave(said=implied)
    assert (found.level, found.command) == ("ask", None)
    assert PROJECT in found.text
    assert "gcloud's configuration" in found.text


def test_each_platform_needs_its_own_apis_and_those_of_the_builds() -> None:
    assert needed_apis([RUN], options())[0] == "run.googleapis.com"
    assert "appengineflex.googleapis.com" not in needed_apis([STANDARD], options())
    assert set(needed_apis(TARGETS, options())) == {f"{name}.googleapis.com" for name in APIS}


def test_what_the_service_itself_will_ask_is_needed_too() -> None:
    asks = Config(generator="vertex", model="m", location="global", store="firestore").service_apis
    assert asks == ("aiplatform.googleapis.com", "firestore.googleapis.com")
    assert set(needed_apis([RUN], options(apis=asks))) >= set(asks)
    assert Config().service_apis == ()


def test_apis_that_are_off_are_asked_about_together_and_switched_on_by_one_line() -> None:
    (found,) = grave(seen(apis=apis("appengine", "storage", "run", "artifactregistry")))
    assert found.level == "ask"
    assert found.command is not None
    assert found.command.changes
    assert found.command.line == (
        "gcloud services enable appengineflex.googleapis.com cloudbuild.googleapis.com "
        f"--project={PROJECT} --quiet"
    )


def test_with_its_region_named_making_the_app_is_asked_about() -> None:
    (found,) = grave(seen(**NO_APP), said=options(said={"create_app": "europe-west"}))
    assert found.level == "ask"
    assert found.command is not None
    assert found.command.line == f"gcloud app create --region=europe-west --project={PROJECT} --quiet"
    assert not found.command.repeatable
    assert "for ever" in found.text


def test_an_app_that_is_there_keeps_its_region() -> None:
    (found,) = grave(said=options(said={"create_app": "us-central"}))
    assert found.level == "warn"
    assert "europe-west" in found.text


def test_while_its_api_is_off_it_is_unknown_whether_there_is_an_app() -> None:
    off = KitError(Code.API_OFF, "The API appengine.googleapis.com is off.", "…")
    hidden = seen(apis=apis(*APIS[1:]), app=off, app_versions=off)
    assert [finding.level for finding in grave(hidden, (STANDARD,))] == ["ask"]
    assert any("--create-app" in finding.remedy for finding in notes(hidden, STANDARD))


@pytest.mark.parametrize(("count", "warned"), [(198, False), (199, True), (210, True)])
def test_an_app_nearly_full_of_versions_gets_a_warning(count: int, warned: bool) -> None:
    versions = [{"id": f"v{number}"} for number in range(count)]
    found = grave(seen(app_versions=versions), (STANDARD, FLEX))
    assert [finding.level for finding in found] == (["warn"] if warned else [])


def test_default_accounts_that_may_edit_everything_are_told_once_with_the_way_out() -> None:
    policy = editors(f"serviceAccount:{PROJECT}@appspot.gserviceaccount.com", COMPUTE)
    (found,) = grave(seen(**policy))
    assert found.level == "warn"
    assert found.command is None  # the kit grants nothing and makes no account by itself
    assert f"gcloud iam service-accounts create streamproof --project={PROJECT}" in found.remedy
    for name in ("standard", "flex", "run"):
        assert f"--set {name}.service_account=streamproof@{PROJECT}.iam.gserviceaccount.com" in found.remedy


@pytest.mark.parametrize(
    ("target", "room"),
    [(FLEX, 30), (RUN, 35)],  # 11 + 5 + 30 + 5 + 12 = 63; 11 + 35 = 46
    ids=lambda value: value.place.target if isinstance(value, Candidate) else "",
)
def test_a_service_s_name_must_fit_into_its_url(target: Candidate, room: int) -> None:
    assert grave(targets=(of(target, service="s" * room),)) == []
    (found,) = grave(targets=(of(target, service="s" * (room + 1)),))
    assert found.level == "stop"
    assert f"{room} characters at most" in found.remedy


def foreign(target: Candidate) -> Service:
    version = Version("v1", None, None, 1.0, True, None, None)
    return Service(target.place, url=None, public=True, versions=(version,))


@pytest.mark.parametrize(
    ("target", "room"),
    [(STANDARD, 63 - 8 - 5 - 12), (FLEX, 63 - 8 - 5 - 12 - 5 - 7), (RUN, 46 - 11)],
    ids=lambda value: value.place.target if isinstance(value, Candidate) else str(value),
)
def test_a_previews_name_must_fit_into_its_url(target: Candidate, room: int) -> None:
    there = {target.place.target: service_of(target.place.target, version(), place=target.place)}
    for preview, fits in (("p" * room, True), ("p" * (room + 1), False)):
        found = judge([target], options(preview=preview), seen(looks=there))
        stops = [one for one in found if one.level == "stop"]
        assert bool(stops) is not fits, stops
        if stops:
            assert "is too long by 1 for" in stops[0].text
            assert stops[0].remedy == f"Choose one of {room} characters at most."


def test_a_preview_stands_beside_what_serves_and_takes_no_other_versions_tag() -> None:
    def stops(*versions: Version) -> list[str]:
        there = service_of("run", *versions, place=RUN.place) if versions else None
        found = judge([RUN], options(preview="pr-1"), seen(looks={"run": there}))
        return [one.text for one in found if one.level == "stop"]

    mine = version("sp-pr-1-abcd", 0.0, preview="pr-1", tags=("pr-1",))
    assert stops(version(), mine) == []
    assert stops() == ["Nothing serves at streamproof yet, so the preview of run would."]
    # Standard may be the app's service `default`: its place is settled later.
    later = judge([STANDARD], options(preview="pr-1"), seen())
    assert [one for one in later if one.level == "stop"] == []
    (taken,) = stops(version(tags=("pr-1",)))
    assert taken.startswith("The tag pr-1 of streamproof leads to sp-now")


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.place.target)
def test_what_the_kit_did_not_make_is_not_overwritten_unasked(target: Candidate) -> None:
    there = seen(looks={target.place.target: foreign(target)})
    (found,) = grave(there)
    assert found.level == "stop"
    assert target.place.service in found.text
    assert "v1" in found.text
    assert "--replace-foreign" in found.remedy
    (found,) = grave(there, said=options(take_over=True))
    assert found.level == "warn"


def made_from(app: str | None) -> Seen:
    """What serves for run is the kit's, made from this app."""
    there = foreign(RUN)
    return seen(looks={"run": replace(there, versions=(replace(there.versions[0], target="run", app=app),))})


def test_the_same_app_is_deployed_again_without_a_word() -> None:
    assert grave(made_from("streamproof")) == []


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("shop-1a2b3c4d", "made from the app shop-1a2b3c4d, and this is streamproof"),
        (None, "which marked no app, and not on record"),
    ],
)
def test_another_apps_service_is_never_taken_over_unasked(app: str | None, said: str) -> None:
    (found,) = grave(made_from(app))
    assert (found.level, found.command) == ("stop", None)
    assert "v1" in found.text
    assert said in found.text
    assert "--set run.service=NAME" in found.remedy
    assert "--replace-foreign" in found.remedy
    (found,) = grave(made_from(app), said=options(take_over=True))
    assert found.level == "warn"


def test_what_bears_no_mark_is_this_apps_where_it_is_on_record() -> None:
    assert grave(made_from(None), (replace(RUN, on_record=("v0", "v1")),)) == []


def test_the_first_service_of_an_app_becomes_default() -> None:
    for nothing in (seen(app_versions=[]), seen(**NO_APP)):
        assert any("standard becomes it, before the others" in finding.text for finding in notes(nothing))
    assert not any("becomes it" in finding.text for finding in notes(seen()))


def test_a_service_that_is_new_is_announced_to_serve_before_it_is_measured() -> None:
    found = notes(seen(looks={"flex": None, "run": None}))
    assert any(one.text.startswith("flex and run are new: a service's first version") for one in found)
    unseen = judge(TARGETS, options(), seen(looks={"run": KitError(Code.CLOUD_UNAVAILABLE, "503", "…")}))
    assert not any("is new" in one.text or "are new" in one.text for one in unseen)


def test_what_each_target_costs_is_said_and_how_to_end_it() -> None:
    (flex,) = [found for found in notes(seen(looks={}), FLEX) if found.text.startswith("flex")]
    assert "never scales to zero" in flex.text
    assert "kit destroy flex" in flex.remedy
    assert any("scales to zero" in found.text for found in notes(seen(), RUN))
    kept = notes(seen(), replace(RUN, min_instances=2))
    assert any("2 instances of it always run" in found.text for found in kept)


@pytest.mark.parametrize("code", [Code.NOT_SIGNED_IN, Code.UNREACHABLE, Code.GCLOUD_MISSING])
def test_a_trouble_with_all_reads_is_told_once(code: Code) -> None:
    error = KitError(code, "Nothing goes.", "Correct it.")
    (found,) = grave(seen(**dict.fromkeys(READS, error), looks=dict.fromkeys(("standard", "run"), error)))
    assert (found.level, found.text, found.remedy) == ("stop", "Nothing goes.", "Correct it.")


def test_a_project_in_which_nothing_answers_is_told_once() -> None:
    error = KitError(Code.NO_PROJECT, "There is no project demo-project.", "gcloud projects list")
    (found,) = grave(seen(**{**dict.fromkeys(READS, DENIED), "project": error}, looks={"run": DENIED}))
    assert (found.level, found.text) == ("stop", error.message)


def test_an_api_that_is_asked_about_anyway_is_not_told_again() -> None:
    there = seen(looks={"run": API_OFF}, apis=[{"config": {"name": "storage.googleapis.com"}}])
    assert [finding.level for finding in grave(there)] == ["ask"]


SECRETS = replace(RUN, secrets={"A": "openai:latest", "B": "projects/other/secrets/db:1"})
POLICY = "open: who may read the secret openai"


def of_secrets(names: Any, policy: Any) -> Seen:
    """A project with Secret Manager, in which these secrets are, and this policy of one."""
    known = seen(apis=apis(*APIS, "secretmanager"))
    return replace(known, own={**known.own, "secrets": names, POLICY: policy})


def test_a_secret_that_is_there_and_may_be_read_needs_no_word() -> None:
    names = [{"name": "projects/123456789012/secrets/openai"}]
    binding = {"role": "roles/secretmanager.secretAccessor", "members": [COMPUTE]}
    assert grave(of_secrets(names, {"bindings": [binding]}), (SECRETS,)) == []
    of_project = replace(of_secrets(names, {}), policy={"bindings": [binding]})
    assert grave(of_project, (SECRETS,)) == []
    (found,) = grave(of_secrets(names, {"etag": "ACAB"}), (SECRETS,))
    assert found.level == "warn"
    assert "gcloud secrets add-iam-policy-binding openai" in found.remedy
    assert grave(of_secrets(names, DENIED), (SECRETS,)) == [], "whether it may is not known"


def test_a_secret_that_is_not_there_stops_with_the_line_that_makes_it() -> None:
    (found,) = grave(of_secrets([], KitError(Code.NOT_FOUND_IN_CLOUD, "…", "…")), (SECRETS,))
    assert found.level == "stop"
    assert "gcloud secrets create openai --data-file=FILE" in found.remedy
    (found,) = grave(of_secrets(DENIED, DENIED), (SECRETS,))
    assert (found.level, "which secrets there are" in found.text) == ("warn", True)
    assert "secretmanager.googleapis.com" in needed_apis([SECRETS], options())
    assert "secretmanager.googleapis.com" not in needed_apis([RUN], options())
