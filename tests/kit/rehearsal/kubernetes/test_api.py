"""The API without kubectl: what it answers, and that it fails loudly."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.rehearsal.faults import Faults
from kit.rehearsal.kubernetes.api import APPLY, MERGE, Api, Stream
from kit.rehearsal.kubernetes.status import Failure, unauthorized
from kit.rehearsal.kubernetes.store import Store, key_of
from kit.rehearsal.wire import Request, Response
from tests.kit.rehearsal.kubernetes import manifests as made

SPACE = "/namespaces/space"
DEPLOYMENTS = f"/apis/apps/v1{SPACE}/deployments"


class Asked:
    """An API with a namespace in it, and what it recorded."""

    def __init__(self) -> None:
        self.store = Store()
        self.store.put(key_of(made.namespace()), made.namespace())
        self.faults = Faults()
        self.calls: list[str] = []
        self.unknown: list[str] = []
        self.api = Api(
            self.store,
            admits=lambda token: token == "good",
            log=lambda key: [],
            faults=self.faults,
            record=lambda name, request, body: self.calls.append(name),
            fail=self.unknown.append,
        )

    def __call__(
        self, method: str, path: str, body: Any = None, *, as_: str = "application/json",
        token: str = "good", **query: str,
    ) -> tuple[int, Any]:  # fmt: skip
        answer = self.send(method, path, body, as_=as_, token=token, **query)
        assert isinstance(answer, Response)
        return answer.status, answer.body

    def send(
        self, method: str, path: str, body: Any = None, *, as_: str = "application/json",
        token: str = "good", **query: str,
    ) -> Response | Stream:  # fmt: skip
        headers = {"authorization": f"Bearer {token}", "content-type": as_}
        content = b"" if body is None else json.dumps(body).encode()
        return self.api.answer(Request(method, "kubernetes", path, query, headers, content))

    def apply(self, value: dict[str, Any], **query: str) -> tuple[int, Any]:
        key = key_of(value)
        path = f"{key.kind.root}{SPACE}/{key.kind.plural}/{key.name}"
        return self("PATCH", path, value, as_=APPLY, **query)

    def watch(self, path: str = DEPLOYMENTS, **query: str) -> Iterator[dict[str, Any]]:
        stream = self.send("GET", path, watch="true", **query)
        assert isinstance(stream, Stream)
        return (json.loads(piece) for piece in stream.pieces)


@pytest.fixture
def asked() -> Iterator[Asked]:
    asked = Asked()
    yield asked
    assert asked.unknown == []


def test_each_verb_has_its_name_in_the_record(asked: Asked) -> None:
    assert asked.apply(made.deployment())[0] == 201
    assert asked.apply(made.deployment(replicas=2))[0] == 200
    assert asked("GET", f"{DEPLOYMENTS}/web-1")[1]["spec"]["replicas"] == 2
    status, changed = asked("PATCH", f"{DEPLOYMENTS}/web-1", {"spec": {"replicas": 0}}, as_=MERGE)
    assert (status, changed["spec"]["replicas"]) == (200, 0)
    assert asked("PUT", f"{DEPLOYMENTS}/web-1", changed | {"status": {}})[0] == 200
    assert asked("POST", f"/api/v1{SPACE}/services", made.service())[0] == 201
    assert asked("POST", f"/api/v1{SPACE}/services", made.service())[0] == 409
    assert asked("DELETE", f"{DEPLOYMENTS}/web-1")[1]["status"] == "Success"
    assert asked("GET", f"{DEPLOYMENTS}/web-1") == (404, asked("DELETE", f"{DEPLOYMENTS}/web-1")[1])
    verbs = " ".join(call.split(".")[1] for call in asked.calls)
    assert verbs == "apply apply get patch update create create delete get delete"


def test_an_old_version_of_an_object_is_not_put_over_a_newer_one(asked: Asked) -> None:
    old = asked.apply(made.deployment())[1]
    asked.apply(made.deployment(replicas=2))
    status, refused = asked("PUT", f"{DEPLOYMENTS}/web-1", old)
    assert (status, refused["reason"]) == (409, "Conflict")


@pytest.mark.parametrize("token", ["", "bad"])
def test_who_shows_no_good_token_learns_nothing(asked: Asked, token: str) -> None:
    assert asked("GET", "/version", token=token)[0] == 401
    assert asked("GET", DEPLOYMENTS, token=token)[0] == 401


def test_a_field_that_the_kind_does_not_have_is_refused_whatever_the_request_says(asked: Asked) -> None:
    wrong = made.deployment(replica=1)
    for validation in ("Strict", "Warn", "Ignore"):
        status, refused = asked.apply(wrong, fieldValidation=validation)
        assert (status, refused["reason"]) == (400, "BadRequest")
        assert refused["message"].endswith('strict decoding error: unknown field "spec.replica"')


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (made.policy(timeout_s=0), "spec.default.timeoutSec: Invalid value: 0"),
        (made.route(*[made.opened()] * 17), "spec.rules: Too many: 17"),
        (made.route(made.served(**{f"w{n}": 1 for n in range(17)})), "backendRefs: Too many: 17"),
        (made.route(made.opened(matches=[])), "exactly one PathPrefix match must be specified"),
        (made.route(made.opened(backendRefs=[{"name": "web-1"}])), "Must have port"),
        (made.deployment(selector={"matchLabels": {"a": "b"}}), "does not match template `labels`"),
        (made.gateway("HTTPS") | {"spec": {**made.gateway()["spec"], "listeners": [
            {"name": "s", "protocol": "HTTPS", "port": 443}]}}, "certificateRefs or options"),
    ],
)  # fmt: skip
def test_a_rule_that_is_broken_is_said(asked: Asked, value: dict[str, Any], why: str) -> None:
    status, refused = asked.apply(value)
    assert (status, refused["reason"]) == (422, "Invalid")
    assert why in refused["message"]


def test_a_selector_of_a_deployment_cannot_be_changed(asked: Asked) -> None:
    asked.apply(made.deployment())
    other = made.deployment()
    other["spec"]["selector"]["matchLabels"] = {"x": "y"}
    other["spec"]["template"]["metadata"]["labels"]["x"] = "y"
    assert "field is immutable" in asked.apply(other)[1]["message"]


def test_a_dry_run_keeps_nothing(asked: Asked) -> None:
    assert asked.apply(made.deployment(), dryRun="All")[1]["spec"]["replicas"] == 1
    assert asked("GET", DEPLOYMENTS)[1]["items"] == []


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("of=tests", {"web-1", "web-2"}),
        ("of = tests, version!=web-1", {"web-2"}),
        ("version in (web-1, other),of", {"web-1"}),
        ("version notin (web-1)", {"web-2"}),
        ("!of", set()),
    ],
)
def test_a_list_has_what_its_selector_selects(asked: Asked, selector: str, found: set[str]) -> None:
    asked.apply(made.deployment())
    asked.apply(made.deployment("web-2"))
    items = asked("GET", DEPLOYMENTS, labelSelector=selector)[1]["items"]
    assert {each["metadata"]["name"] for each in items} == found


@given(st.text(alphabet="ab,=!() innotx./-", max_size=20))
def test_whatever_selector_is_asked_for_is_answered_or_refused(selector: str) -> None:
    asked = Asked()
    asked.apply(made.deployment())
    assert asked("GET", DEPLOYMENTS, labelSelector=selector)[0] in (200, 400)
    assert asked.unknown == []


def test_a_watch_begins_after_its_version_and_misses_nothing(asked: Asked) -> None:
    asked.apply(made.deployment())
    version = asked("GET", DEPLOYMENTS)[1]["metadata"]["resourceVersion"]
    asked.apply(made.deployment("web-2"))
    events = asked.watch(resourceVersion=version)
    assert (event := next(events))["type"] == "ADDED"
    assert event["object"]["metadata"]["name"] == "web-2"
    asked("DELETE", f"{DEPLOYMENTS}/web-1")
    assert (event := next(events))["type"] == "DELETED"
    assert event["object"]["metadata"]["name"] == "web-1"


def test_a_watch_that_wants_the_beginning_gets_it_with_a_bookmark_at_its_end(asked: Asked) -> None:
    asked.apply(made.deployment())
    asked.apply(made.deployment("web-2"))
    events = asked.watch(
        sendInitialEvents="true", resourceVersionMatch="NotOlderThan", fieldSelector="metadata.name=web-2"
    )
    first = [next(events), next(events)]
    assert [event["type"] for event in first] == ["ADDED", "BOOKMARK"]
    assert first[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_what_a_selector_selects_no_more_is_deleted_to_its_watcher(asked: Asked) -> None:
    asked.apply(made.deployment())
    events = asked.watch(labelSelector="of=tests")
    assert next(events)["type"] == "ADDED"
    asked("PATCH", f"{DEPLOYMENTS}/web-1", {"metadata": {"labels": {"of": "others"}}}, as_=MERGE)
    assert next(events)["type"] == "DELETED"


def test_a_watch_ends_at_its_time_when_it_is_cut_and_when_all_ends(asked: Asked) -> None:
    assert list(asked.watch(timeoutSeconds="0")) == []
    asked.apply(made.deployment())
    asked.apply(made.deployment("web-2"))
    asked.api.watch_cuts = 1
    stream = asked.send("GET", DEPLOYMENTS, watch="1")
    assert isinstance(stream, Stream)
    assert len(list(stream.pieces)) == 1
    assert stream.cut
    asked.api.close()
    assert len(list(asked.watch())) == 2


@pytest.mark.parametrize(
    "fault", [unauthorized, lambda: Failure("ServiceUnavailable", "etcd"), lambda: Failure("Forbidden", "no")]
)
def test_a_fault_is_answered_in_the_apis_own_words(asked: Asked, fault: Callable[[], Failure]) -> None:
    asked.faults.add("kubernetes.apply.deployments", fault())
    status, answer = asked.apply(made.deployment())
    assert (status, answer["reason"]) == (fault().http, fault().reason)
    assert asked.apply(made.deployment())[0] == 201


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/apis/batch/v1/jobs", {}),
        ("GET", f"{DEPLOYMENTS}/web-1/scale", {}),
        ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {}),
        ("GET", DEPLOYMENTS, {"shardSelector": "x"}),
        ("GET", "/api/v1/namespaces/space/pods/x/exec", {}),
    ],
)
def test_what_the_api_does_not_know_is_refused_loudly(method: str, path: str, query: dict[str, str]) -> None:
    asked = Asked()
    assert asked(method, path, **query)[0] == 405
    assert len(asked.unknown) == 1


def test_all_kinds_are_found_by_either_way_of_discovery(asked: Asked) -> None:
    groups = {each["name"] for each in asked("GET", "/apis")[1]["groups"]}
    assert groups == {"apps", "gateway.networking.k8s.io", "networking.gke.io"}
    plain = {each["name"] for each in asked("GET", "/api/v1")[1]["resources"]}
    assert plain == {"namespaces", "pods", "pods/log", "services"}
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    headers = {"authorization": "Bearer good", "accept": accept}
    found = asked.api.answer(Request("GET", "kubernetes", "/apis", {}, headers))
    assert isinstance(found, Response)
    assert {each["metadata"]["name"] for each in found.body["items"]} == groups
    assert "as=APIGroupDiscoveryList" in found.headers["content-type"]
