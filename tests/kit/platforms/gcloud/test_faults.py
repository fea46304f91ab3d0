from __future__ import annotations

import re
import tomllib
import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import Code
from kit.platforms.app_engine import commands as app_engine
from kit.platforms.cloud_run import commands as cloud_run
from kit.platforms.command import Command
from kit.platforms.gcloud import kubectl_rules, leftovers
from kit.platforms.gcloud.fault_rules import RULES, Rule
from kit.platforms.gcloud.faults import explain
from tests.kit.platforms.releases import FLEX
from tests.kit.platforms.releases import RUN as RUN_PLACE

DEPLOY = Command(
    ("app", "deploy", "build/standard", "--version=sp-abc12345", "--project=demo-project", "--quiet"),
    changes=True,
)
RUN = Command(
    ("run", "deploy", "streamproof", "--source=build/run", "--region=europe-west1", "--project=demo-project"),
    changes=True,
)


class _Text(NamedTuple):
    """One failure of gcloud, and what should be made of it."""

    verb: str
    said: str
    code: str
    again: str = "no"
    remedy: str = ""


_FILE = Path(__file__).with_name("gcloud_texts.toml")
TEXTS = [_Text(**text) for text in tomllib.loads(_FILE.read_text(encoding="utf-8"))["text"]]


def _printed(verb: str, said: str) -> str:
    return f"Beginning deployment of service [default]...\nERROR: (gcloud.{verb}) {said}\n"


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.said[:40])
def test_each_failure_has_its_remedy_and_only_passing_ones_are_tried_again(text: _Text) -> None:
    command = RUN if text.verb == "run.deploy" else DEPLOY
    fault = explain(command, 1, _printed(text.verb, text.said), "")
    assert (fault.code, fault.again) == (text.code, text.again)
    assert text.remedy in fault.hint
    assert _is_one_sentence(fault.message)


BUCKET = "gs://run-sources-demo-project-europe-west1"
IMAGE = "europe-west1-docker.pkg.dev/demo-project/cloud-run-source-deploy/streamproof"
# What the real gcloud 528 printed for each line against the loopback Google, with nothing there.
ABSENT = {
    "run.services.describe": (cloud_run.describe_service(RUN_PLACE), "Cannot find service [streamproof]"),
    "run.services.delete": (
        cloud_run.delete_service(RUN_PLACE),
        "Service [streamproof] could not be found.",
    ),
    "run.revisions.delete": (
        cloud_run.delete_revision(RUN_PLACE, "streamproof-1"),
        "Revision [streamproof-1] could not be found.",
    ),
    "app.versions.list": (app_engine.list_versions(FLEX), "Service [sp-flex] not found."),
    "app.versions.describe": (
        app_engine.describe_version(FLEX, "sp-x"),
        "NOT_FOUND: Version sp-x of service sp-flex was not found. This command is authenticated with an "
        "access token from the CLOUDSDK_AUTH_ACCESS_TOKEN environment variable.",
    ),
    "app.versions.delete": (app_engine.delete_versions(FLEX, "sp-x"), "Service [sp-flex] not found."),
    "app.services.delete": (
        app_engine.delete_service(FLEX),
        "The following service was not found: [sp-flex]\n\nAll services: [default]",
    ),
    "artifacts.docker.images.list": (
        leftovers.list_images(RUN_PLACE, IMAGE),
        "NOT_FOUND: Requested entity was not found. This command is authenticated as me@example.com which "
        "is the active account specified by the [core/account] property.",
    ),
    "artifacts.docker.images.delete": (
        leftovers.delete_image(RUN_PLACE, IMAGE),
        "NOT_FOUND: Requested entity was not found.",
    ),
    "storage.ls": (leftovers.list_objects(RUN_PLACE, f"{BUCKET}/services/**"), f"{BUCKET} not found: 404."),
    "storage.rm": (leftovers.delete_objects(RUN_PLACE, f"{BUCKET}/**"), f"{BUCKET} not found: 404."),
}
FOREIGN = (
    "The proxy host proxy.example.com could not be found.",
    "NOT_FOUND: Failed to impersonate [gone@demo-project.iam.gserviceaccount.com]. Make sure the account "
    "that's trying to impersonate it has access to the service account itself.",
    "NOT_FOUND: Requested project was not found.",
    "HTTPError 404: The requested URL was not found on this server.",
    "INVALID_ARGUMENT: Service account own@demo-project.iam.gserviceaccount.com does not exist.",
    "Cannot find service [another]",
    "Service [another] not found.",
    "Service [another] could not be found.",
    "Revision [another] could not be found.",
    "NOT_FOUND: Version sp-x of service another was not found.",
    "The following service was not found: [another]",
    "gs://another not found: 404.",
)


@pytest.mark.parametrize("verb", ABSENT)
def test_what_does_not_exist_is_known_by_gcloud_s_own_answer_to_this_very_line(verb: str) -> None:
    command, said = ABSENT[verb]
    assert explain(command, 1, _printed(verb, said), "").code is Code.NOT_FOUND_IN_CLOUD
    assert explain(command, 1, _printed("app.deploy", said), "").code is not Code.NOT_FOUND_IN_CLOUD
    assert explain(command, 1, _printed(verb, said) + _printed(verb, "Wait."), "").code is Code.GCLOUD_FAILED


@pytest.mark.parametrize("verb", ABSENT)
def test_that_something_else_was_not_found_says_nothing_of_what_is_there(verb: str) -> None:
    command, _ = ABSENT[verb]
    for said in FOREIGN:
        fault = explain(command, 1, _printed(verb, said), "")
        assert fault.code is not Code.NOT_FOUND_IN_CLOUD, said
        assert _is_one_sentence(fault.message), said


def test_a_foreign_not_found_is_told_in_gcloud_s_own_words() -> None:
    command, _ = ABSENT["app.versions.list"]
    fault = explain(command, 1, _printed("app.versions.list", FOREIGN[0]), "")
    assert fault.message == (
        "`gcloud app versions list` failed: The proxy host proxy.example.com could not be found."
    )
    assert fault.log[-1].endswith("could not be found.")


def test_a_missing_permission_is_named() -> None:
    said = (
        "PERMISSION_DENIED: Permission 'appengine.versions.create' denied on resource 'projects/demo-project'"
    )
    assert "appengine.versions.create" in explain(DEPLOY, 1, _printed("app.deploy", said), "").message


@pytest.mark.parametrize("words", [("projects", "describe"), ("billing", "projects", "describe")])
def test_a_project_that_is_no_flag_is_named_all_the_same(words: tuple[str, ...]) -> None:
    command = Command((*words, "no-such-project", "--quiet", "--format=json"))
    said = "ERROR: (gcloud) User does not have permission to access projects instance [no-such-project]"
    assert "no-such-project" in explain(command, 1, said, "").message


def test_a_region_that_cloud_run_does_not_have_is_named() -> None:
    said = (
        "ERROR: gcloud crashed (ConnectionError): HTTPSConnectionPool(host='mars-1-run.googleapis.com', "
        'port=443): Max retries exceeded with url: /apis (Caused by NameResolutionError("<urllib3.connection.'
        "HTTPSConnection object at 0x7fb204028110>: Failed to resolve 'mars-1-run.googleapis.com' "
        '([Errno -2] Name or service not known)"))'
    )
    fault = explain(RUN, 1, said, "")
    assert fault.code is Code.BAD_CONFIG
    assert "mars-1" in fault.message


def test_a_flag_that_this_gcloud_does_not_know_means_an_update() -> None:
    said = "unrecognized arguments: --bogus=1 (did you mean '--gpu'?) \n\nTo search the help text, run:"
    fault = explain(RUN, 2, _printed("run.deploy", said), "")
    assert "--bogus" in fault.message
    assert "gcloud components update" in fault.hint


def test_a_crash_of_gcloud_is_told_with_its_end() -> None:
    said = "ERROR: gcloud crashed (MultiError): something odd\n\nIf you would like to report this, run:"
    fault = explain(DEPLOY, 1, said, "")
    assert "gcloud crashed (MultiError)" in fault.message
    assert fault.log[0].startswith("ERROR: gcloud crashed")


def test_the_end_of_a_failed_build_s_log_is_kept() -> None:
    stderr = "\n".join(f"Step {number}" for number in range(100)) + _printed("app.deploy", "Build failed")
    fault = explain(DEPLOY, 1, stderr, "")
    assert fault.log[-1].endswith("Build failed")
    assert "Step 98" in fault.log
    assert len(fault.log) == 12


def test_an_error_inside_a_build_s_log_is_not_taken_for_gcloud_s_own() -> None:
    stderr = "ERROR: connection reset\nERROR: (gcloud.app.deploy) UNAUTHENTICATED: No\nERROR: step 0\n"
    assert explain(DEPLOY, 1, stderr, "").code is Code.NOT_SIGNED_IN


@pytest.mark.parametrize(("status", "what"), [(137, "signal 9"), (1, "status 1")])
def test_an_end_without_a_word_is_told_as_such(status: int, what: str) -> None:
    assert what in explain(DEPLOY, status, "", "").message


def test_what_is_not_known_is_told_in_gcloud_s_own_words() -> None:
    fault = explain(DEPLOY, 1, _printed("app.deploy", "The moon is full. Wait for it to wane."), "")
    assert fault.code is Code.GCLOUD_FAILED
    assert fault.message == "`gcloud app deploy` failed: The moon is full."


_WORDS = st.one_of(
    st.text(),
    st.sampled_from([text.said for text in TEXTS]),
    st.sampled_from(
        [
            "ERROR: (gcloud.app.deploy) ",
            "\x1b[31m",
            "\r",
            "Bearer abc",
            "ya29.a0-secret",
            "{verb}",
            "{0}",
            ". ",
        ]
    ),
    st.from_regex(r"eyJ[\w-]{8,20}\.[\w-]{5,9}\.[\w-]{5,9}", fullmatch=True),
)


@given(st.lists(_WORDS).map("".join), st.lists(_WORDS).map("".join), st.integers(1, 255))
def test_whatever_gcloud_prints_one_clean_sentence_comes_of_it(stderr: str, stdout: str, status: int) -> None:
    fault = explain(RUN, status, stderr, stdout)
    assert _is_one_sentence(fault.message)
    for text in (fault.message, fault.hint, *fault.log):
        assert not any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in text)
        assert not re.search(r"ya29\.|eyJ[\w-]{8,}\.|bearer [^\s\[]", text, re.IGNORECASE)


@pytest.mark.parametrize("rule", [*RULES, *kubectl_rules.RULES], ids=lambda rule: rule.pattern[:40])
def test_each_rule_names_only_what_is_filled_in(rule: Rule) -> None:
    named = set(re.findall(r"\{(\w+)\}", rule.message + rule.hint + rule.otherwise))
    assert named <= {"verb", "project", "region", *(["found"] if rule.find else [])}
    assert "{found}" not in rule.otherwise
    assert bool(rule.otherwise) is bool("{found}" in rule.hint)


def test_another_program_is_told_in_its_own_words_and_named() -> None:
    said = "no such ship: x"
    command = Command(("show", "x"), program="harbour", absent=(said,))
    assert explain(command, 1, f"{said}\n", "").code is Code.NOT_FOUND_IN_CLOUD
    other = explain(command, 1, "Unable to connect: connection refused\n", "")
    assert (other.code, other.again) == (Code.GCLOUD_FAILED, "no")
    assert other.message == "`harbour show x` failed: Unable to connect, connection refused."


# What kubectl 1.33 prints on stderr before its error where it has cached nothing of the cluster.
CACHE_COLD = "".join(
    f'E1130 16:28:21.{number}29 1445 memcache.go:265] "Unhandled Error" err="couldn\'t get current server '
    f'API group list: Get \\"https://127.0.0.1:1/api\\": dial tcp: refused {number}"\n'
    for number in range(5)
)


@pytest.mark.parametrize(
    ("said", "code", "again"),
    [
        (
            "error: You must be logged in to the server (the server has asked for the client to provide "
            "credentials)",
            Code.NOT_SIGNED_IN,
            "transient",
        ),
        (
            "Unable to connect to the server: getting credentials: exec: executable gke-gcloud-auth-plugin "
            "not found",
            Code.NOT_READY_TO_DEPLOY,
            "no",
        ),
        (
            "Unable to connect to the server: getting credentials: exec: executable gke-gcloud-auth-plugin "
            "failed with exit code 1",
            Code.NOT_SIGNED_IN,
            "no",
        ),
        (
            'Error from server (Forbidden): pods is forbidden: User "a@b.c" cannot list resource "pods"',
            Code.PERMISSION_DENIED,
            "no",
        ),
        (
            'Error from server (Forbidden): pods "x" is forbidden: unable to create new content in namespace '
            "s because it is being terminated",
            Code.CLOUD_BUSY,
            "busy",
        ),
        (
            'Error from server (NotFound): gateways.gateway.networking.k8s.io "x" not found',
            Code.GCLOUD_FAILED,
            "no",
        ),
        (
            'error: Apply failed with 1 conflict: conflict with "M" using apps/v1: .spec.replicas\nPlease '
            "review the fields above--they currently have other managers.",
            Code.GCLOUD_FAILED,
            "no",
        ),
        (
            'Error from server (BadRequest): error when creating "STDIN": HTTPRoute in version "v1" cannot '
            'be handled as a HTTPRoute: strict decoding error: unknown field "spec.x"',
            Code.GCLOUD_FAILED,
            "no",
        ),
        (
            "The connection to the server 127.0.0.1:1 was refused - did you specify the right host or port?",
            Code.UNREACHABLE,
            "no",
        ),
        (
            "Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by "
            "unknown authority",
            Code.TLS_FAILED,
            "no",
        ),
        (
            "Unable to connect to the server: net/http: TLS handshake timeout",
            Code.CLOUD_UNAVAILABLE,
            "transient",
        ),
        ('error: the server doesn\'t have a resource type "gateways"', Code.NOT_READY_TO_DEPLOY, "no"),
        ("error: context was not found for specified context: gke_p_r_c", Code.GCLOUD_FAILED, "no"),
        ("error: timed out waiting for the condition on gateways/x", Code.SERVICE_NOT_READY, "no"),
    ],
)
def test_kubectl_is_understood_by_its_own_words_behind_its_log(said: str, code: Code, again: str) -> None:
    command = Command(("get", "pods"), program="kubectl")
    for before in ("", CACHE_COLD):
        fault = explain(command, 1, f"{before}{said}\n", "")
        assert (fault.code, fault.again) == (code, again)
        assert "memcache" not in fault.message
        assert fault.hint


def test_kubectl_did_not_find_what_it_was_to_work_on_by_the_whole_sentence_only() -> None:
    said = 'Error from server (NotFound): namespaces "s" not found'
    command = Command(("get", "namespace", "s"), program="kubectl", absent=(said,))
    assert explain(command, 1, f"{CACHE_COLD}{said}\n", "").code is Code.NOT_FOUND_IN_CLOUD
    foreign = "Error from server (NotFound): the server could not find the requested resource"
    for other in (foreign, f"{said} here", f"{foreign}\n{said}"):
        assert explain(command, 1, f"{other}\n", "").code is not Code.NOT_FOUND_IN_CLOUD


def test_gcloud_s_container_commands_are_understood_without_their_code() -> None:
    said = "ResponseError: code=404, message=Not found: projects/p/locations/r/clusters/c."
    error = f"ERROR: (gcloud.container.clusters.describe) {said}\nNo cluster named 'c' in p.\n"
    command = Command(("container", "clusters", "describe", "c"), absent=(said,))
    assert explain(command, 1, error, "").code is Code.NOT_FOUND_IN_CLOUD
    fault = explain(replace(command, absent=()), 1, error, "")
    assert fault.code is Code.GCLOUD_FAILED
    assert fault.message.startswith("`gcloud container clusters describe` failed: Not found, projects/p/")


def _is_one_sentence(text: str) -> bool:
    return text.endswith((".", "…")) and not re.search(r"[^.\s][.!?]\s", text) and "\n" not in text
