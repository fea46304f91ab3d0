"""The loopback Google refuses what the SDK itself does not know, and remembers that it had to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.rehearsal.faults import Faults, busy, unavailable
from kit.rehearsal.router import Router
from kit.rehearsal.sdk import api_of
from kit.rehearsal.wire import ApiError, Request, Response
from tests.fixtures.tools import Tool

HOST = "appengine.googleapis.com"
VERSIONS = "/v1/apps/demo-project/services/default/versions"
PATTERN = "/v1/apps/{app}/services/{service}/versions"


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
def router(faults: Faults, tool: Tool) -> Router:
    tool("gcloud")  # the API's own messages are read from its folder
    return Router(faults)


def create(router: Router, version: Any, *, query: dict[str, str] | None = None) -> Response:
    headers = {"content-type": "application/json"}
    return router.answer(Request("POST", HOST, VERSIONS, query or {}, headers, json.dumps(version).encode()))


def operation(request: Request, app: str, service: str) -> dict[str, Any]:
    return {"name": f"apps/{app}/operations/1", "done": True, "response": {"id": request.json["id"]}}


def test_a_call_that_the_sdk_knows_reaches_its_handler_and_is_recorded_by_its_name(router: Router) -> None:
    router.on("POST", HOST, PATTERN, operation)
    assert create(router, {"id": "one", "envVariables": {"ANY": "x"}}).body["response"] == {"id": "one"}
    assert [call.name for call in router.calls] == ["appengine.apps.services.versions.create"]
    assert router.calls[0].body == {"id": "one", "envVariables": {"ANY": "x"}}
    assert router.unknown == []


def test_a_call_that_nobody_answers_fails_and_is_remembered(router: Router) -> None:
    assert create(router, {"id": "one"}).status == 400  # no 5xx, which gcloud would repeat for minutes
    (remembered,) = router.unknown
    assert VERSIONS in remembered


def test_a_guard_refuses_what_is_known_and_hides_nothing_that_is_not(router: Router) -> None:
    def refuse(request: Request) -> None:
        raise ApiError("PERMISSION_DENIED", "No.")

    router.guards.append(refuse)
    assert create(router, {"id": "one"}).status == 400
    assert len(router.unknown) == 1
    router.on("POST", HOST, PATTERN, operation)
    assert create(router, {"id": "one"}).status == 403
    assert len(router.unknown) == 1


@pytest.mark.parametrize(
    ("version", "named"),
    [
        ({"id": "one", "bogus": 1}, "bogus"),
        ({"id": "one", "resources": {"cpus": 1.0}}, "resources.cpus"),
        ({"id": "one", "deployment": {"files": {"a": {"sha": "x"}}}}, "deployment.files.a.sha"),
        ({"id": "one", "handlers": [{"urlRegex": "/", "sript": {}}]}, "handlers.sript"),
        ({"id": "one", "servingStatus": "RUNNING"}, "servingStatus"),
        ({"id": 1}, "id"),
        ({"id": "one", "threadsafe": "yes"}, "threadsafe"),
        ({"id": "one", "inboundServices": "INBOUND_SERVICE_WARMUP"}, "inboundServices"),
        ({"id": "one", "diskUsageBytes": "much"}, "diskUsageBytes"),
    ],
)
def test_a_field_that_the_sdks_messages_do_not_have_is_refused(
    router: Router, version: dict[str, Any], named: str
) -> None:
    router.on("POST", HOST, PATTERN, operation)
    refused = create(router, version)
    assert refused.status == 400
    assert named in refused.body["error"]["message"]
    assert named in router.unknown[0]


def test_a_parameter_that_the_method_does_not_have_is_refused(router: Router) -> None:
    router.on("POST", HOST, PATTERN, operation)
    assert create(router, {"id": "one"}, query={"alt": "json", "updateMask": "x"}).status == 400
    assert "updateMask" in router.unknown[0]
    assert "alt" not in router.unknown[0]


def test_an_answer_of_ours_that_google_could_not_give_is_a_failure_too(router: Router) -> None:
    router.on("POST", HOST, PATTERN, lambda request, app, service: {"nmae": "apps/x/operations/1"})
    create(router, {"id": "one"})
    assert "nmae" in router.unknown[0]


def test_a_handlers_own_mistake_is_a_failure(router: Router) -> None:
    router.on("POST", HOST, PATTERN, lambda request, app, service: dict[str, str]()["missing"])
    assert create(router, {"id": "one"}).status == 400
    assert "KeyError" in router.unknown[0]


def test_a_route_that_the_sdk_has_no_method_for_is_a_failure(router: Router) -> None:
    router.on("GET", HOST, "/v1/made-up", lambda request: {})
    assert router.answer(Request("GET", HOST, "/v1/made-up")).status == 404
    assert "made-up" in router.unknown[0]


def test_a_fault_answers_as_often_as_it_shall_and_spares_the_rest(router: Router, faults: Faults) -> None:
    router.on("POST", HOST, PATTERN, operation)
    faults.add("appengine.*.create", busy(), times=2, after=1)
    assert [create(router, {"id": "one"}).status for _ in range(4)] == [200, 409, 409, 200]
    faults.add("*", unavailable(), times=None)
    assert [create(router, {"id": "one"}).status for _ in range(3)] == [503, 503, 503]
    faults.clear()
    assert create(router, {"id": "one"}).status == 200


def test_an_error_has_googles_shape() -> None:
    body = ApiError("ABORTED", "Busy.", {"@type": "type.googleapis.com/google.rpc.ErrorInfo"}).response.body
    assert body["error"]["code"] == 409
    assert body["error"]["status"] == "ABORTED"
    assert body["error"]["details"] == [{"@type": "type.googleapis.com/google.rpc.ErrorInfo"}]
    assert ApiError("ABORTED", "Busy.").rpc == {"code": 10, "message": "Busy."}


@pytest.mark.parametrize(
    ("verb", "host", "path", "method"),
    [
        ("GET", "www.googleapis.com", "/storage/v1/b/bucket/o/a%2Fb", "storage.objects.get"),
        (
            "PUT",
            "europe-west1-run.googleapis.com",
            "/apis/serving.knative.dev/v1/namespaces/p/services/s",
            "run.namespaces.services.replaceService",
        ),
        (
            "POST",
            "run.googleapis.com",
            "/v2/projects/p/locations/l/builds:submit",
            "run.projects.locations.builds.submit",
        ),
        ("POST", "cloudbuild.googleapis.com", "/v1/projects/p/builds", "cloudbuild.projects.builds.create"),
    ],
)
def test_methods_are_found_as_the_sdk_names_them(
    tool: Tool, verb: str, host: str, path: str, method: str
) -> None:
    tool("gcloud")
    api = api_of(host, path)
    assert api is not None
    found = api.method(verb, path)
    assert found is not None
    assert found.id == method


def test_a_field_whose_name_python_keeps_for_itself_is_known_by_its_json_name(tool: Tool) -> None:
    tool("gcloud")
    api = api_of("run.googleapis.com", "/apis/serving.knative.dev/v1/namespaces/p/services")
    assert api is not None
    assert api.unknown("Probe", {"exec": {"command": ["true"]}}) == []
    assert api.unknown("Probe", {"exec_": {}}) != []


def test_a_host_without_a_client_in_the_sdk_has_no_api(tool: Tool) -> None:
    tool("gcloud")
    assert api_of("oauth2.googleapis.com", "/token") is None
    assert api_of("example.com", "/v1/apps/x") is None


def test_the_name_of_a_builds_operation_has_slashes_in_it(tool: Tool) -> None:
    tool("gcloud")
    path = "/v1/operations/build/demo-project/NDk2NmM3"
    api = api_of("cloudbuild.googleapis.com", path)
    assert api is not None
    method = api.method("GET", path)
    assert method is not None
    assert method.id == "cloudbuild.operations.get"
