"""What a project must have: each thing that it lacks is one finding, with its remedy."""

from __future__ import annotations

import pytest

from kit.cloud.preflight import judge
from kit.cloud.project_rules import needed_apis
from kit.config import Config
from kit.errors import Code, KitError
from kit.platforms.findings import Finding
from tests.kit.cloud.seen import APIS, FLEX, LANES, PROJECT, RUN, STANDARD, apis, seen, wishes

NO_APP = KitError(Code.NOT_READY_TO_DEPLOY, "The project has no App Engine app yet.", "…")


def grave(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.level != "note"]


def test_a_project_that_is_ready_needs_nothing() -> None:
    assert grave(judge(LANES, wishes(), seen())) == []


@pytest.mark.parametrize(
    ("version", "level"), [("419.0.0", "stop"), ("420.0.0", "warn"), ("527.9.9", "warn"), ("578.0.0", None)]
)
def test_an_old_gcloud_is_told(version: str, level: str | None) -> None:
    found = grave(judge(LANES, wishes(), seen(version={"Google Cloud SDK": version})))
    assert [finding.level for finding in found] == ([level] if level else [])
    assert all("gcloud components update" in finding.remedy for finding in found)


@pytest.mark.parametrize("accounts", [[], [{"account": "somebody@example.com", "status": ""}]])
def test_without_an_active_account_nothing_goes(accounts: list[dict[str, str]]) -> None:
    (found,) = grave(judge(LANES, wishes(), seen(accounts=accounts)))
    assert (found.level, found.remedy) == ("stop", "Sign in: `gcloud auth login`.")


def test_credentials_in_the_environment_count_as_an_account() -> None:
    assert grave(judge(LANES, wishes(signed_in_by_env=True), seen(accounts=[]))) == []


def test_a_project_that_nobody_named_for_this_is_asked_about() -> None:
    implied = wishes(project_implied=True, project_source="gcloud's configuration")
    (found,) = grave(judge(LANES, implied, seen()))
    assert found.level == "ask"
    assert found.command is None
    assert PROJECT in found.text
    assert "gcloud's configuration" in found.text


def test_a_project_that_is_about_to_be_deleted_stops() -> None:
    (found,) = grave(judge(LANES, wishes(), seen(project={"lifecycleState": "DELETE_REQUESTED"})))
    assert found.level == "stop"


@pytest.mark.parametrize(
    "billing", [{"billingEnabled": False}, {"name": "projects/demo-project/billingInfo"}]
)
def test_billing_that_is_off_stops(billing: dict[str, object]) -> None:
    (found,) = grave(judge(LANES, wishes(), seen(billing=billing)))
    assert found.level == "stop"
    assert f"linkedaccount?project={PROJECT}" in found.remedy


def test_each_platform_needs_its_own_apis_and_those_of_the_builds() -> None:
    assert needed_apis([RUN], wishes())[0] == "run.googleapis.com"
    assert "appengineflex.googleapis.com" not in needed_apis([STANDARD], wishes())
    assert set(needed_apis(LANES, wishes())) == {f"{name}.googleapis.com" for name in APIS}


def test_what_the_service_itself_will_ask_is_needed_too() -> None:
    asks = Config(generator="vertex", model="m", location="global", store="firestore").service_apis
    assert asks == ("aiplatform.googleapis.com", "firestore.googleapis.com")
    assert set(needed_apis([RUN], wishes(apis=asks))) >= set(asks)
    assert Config().service_apis == ()


def test_apis_that_are_off_are_asked_about_together_and_switched_on_by_one_line() -> None:
    (found,) = grave(
        judge(LANES, wishes(), seen(apis=apis("appengine", "storage", "run", "artifactregistry")))
    )
    assert found.level == "ask"
    assert found.command is not None
    assert found.command.changes
    assert found.command.line == (
        "gcloud services enable appengineflex.googleapis.com cloudbuild.googleapis.com "
        f"--project={PROJECT} --quiet"
    )


def test_an_app_is_never_made_unless_its_region_was_named() -> None:
    (found,) = grave(judge(LANES, wishes(), seen(app=NO_APP, app_versions=NO_APP)))
    assert (found.level, found.command) == ("stop", None)
    assert "--create-app" in found.remedy


def test_with_its_region_named_making_the_app_is_asked_about() -> None:
    app = {"app": NO_APP, "app_versions": NO_APP}
    (found,) = grave(judge(LANES, wishes(create_app="europe-west"), seen(**app)))
    assert found.level == "ask"
    assert found.command is not None
    assert found.command.line == f"gcloud app create --region=europe-west --project={PROJECT} --quiet"
    assert "for ever" in found.text


def test_an_app_that_is_there_keeps_its_region() -> None:
    (found,) = grave(judge(LANES, wishes(create_app="us-central"), seen()))
    assert found.level == "warn"
    assert "europe-west" in found.text
    assert grave(judge(LANES, wishes(create_app="europe-west"), seen())) == []


def test_cloud_run_alone_needs_no_app() -> None:
    assert grave(judge([RUN], wishes(), seen(app=None, app_versions=None))) == []


def test_while_its_api_is_off_nobody_knows_of_the_app() -> None:
    off = KitError(Code.API_OFF, "The API appengine.googleapis.com is off.", "…")
    hidden = seen(apis=apis(*APIS[1:]), app=off, app_versions=off)
    findings = judge([STANDARD], wishes(), hidden)
    assert [finding.level for finding in grave(findings)] == ["ask"]
    assert any("--create-app" in finding.remedy for finding in findings)


def test_a_disabled_app_stops() -> None:
    (found,) = grave(judge(LANES, wishes(), seen(app={"servingStatus": "USER_DISABLED"})))
    assert found.level == "stop"


@pytest.mark.parametrize(("count", "told"), [(198, False), (199, True), (210, True)])
def test_an_app_nearly_full_of_versions_is_told_of(count: int, told: bool) -> None:
    versions = [{"id": f"v{number}"} for number in range(count)]
    found = grave(judge([STANDARD, FLEX], wishes(), seen(app_versions=versions)))
    assert [finding.level for finding in found] == (["warn"] if told else [])


def test_default_accounts_that_may_edit_everything_are_told_once_with_the_way_out() -> None:
    members = [
        f"serviceAccount:{PROJECT}@appspot.gserviceaccount.com",
        "serviceAccount:123456789012-compute@developer.gserviceaccount.com",
    ]
    editors = {"bindings": [{"role": "roles/editor", "members": members}]}
    (found,) = grave(judge(LANES, wishes(), seen(policy=editors)))
    assert found.level == "warn"
    assert found.command is None  # the kit grants nothing and makes no account by itself
    assert f"gcloud iam service-accounts create streamproof --project={PROJECT}" in found.remedy
    for name in ("standard", "flex", "run"):
        assert f"--set {name}.service_account=streamproof@{PROJECT}.iam.gserviceaccount.com" in found.remedy


def test_a_target_with_an_account_of_its_own_is_not_told_of_the_default_one() -> None:
    from dataclasses import replace

    editors = {
        "bindings": [
            {
                "role": "roles/editor",
                "members": ["serviceAccount:123456789012-compute@developer.gserviceaccount.com"],
            }
        ]
    }
    own = replace(RUN, service_account="own@demo-project.iam.gserviceaccount.com")
    assert grave(judge([own], wishes(), seen(policy=editors))) == []
    assert grave(judge([RUN], wishes(), seen(policy=editors))) != []
