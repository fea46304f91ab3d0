"""What services wrote, asked for as `kit logs` asks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kit.rehearsal.faults import Faults
from kit.rehearsal.logs import Logs
from kit.rehearsal.router import Router
from kit.rehearsal.uploads import Kind, Unhosted
from kit.rehearsal.wire import Request
from tests.fixtures.tools import Tool

APP = 'resource.type="gae_app" AND resource.labels.module_id="web"'
RUN = "resource.type = cloud_run_revision \n AND resource.labels.service_name = web \n"
PODS = 'resource.type="k8s_container" AND resource.labels.cluster_name="c" AND labels."k8s-pod/of"="tests"'


def pods_of(namespace: str, deployment: str) -> tuple[str, dict[str, str]]:
    return "c", {"of": "tests", "version": deployment}


class Written(Unhosted):
    """Two services of one name, one of them with two versions; and a namespace of that name."""

    def written(self) -> list[tuple[Kind, str, str, str]]:
        return [
            ("standard", "web", "v1", "one"),
            ("flex", "web", "v2", "two"),
            ("run", "web", "web-1", "three"),
            ("run", "web", "web-1", "four"),
            ("gke", "web", "web-2", "five"),
            ("gke", "web", "web-3", "six"),
        ]


@pytest.mark.parametrize(
    ("asked", "lines"),
    [
        ({"filter": APP}, ["one", "two"]),
        ({"filter": f'{APP} AND resource.labels.version_id="v2"'}, ["two"]),
        ({"filter": f"{RUN} AND resource.labels.location = europe-west1 \n"}, ["three", "four"]),
        ({"filter": PODS}, ["five", "six"]),
        ({"filter": f'{PODS} AND labels."k8s-pod/version"="web-3"'}, ["six"]),
        ({"filter": RUN, "orderBy": "timestamp desc", "pageSize": 1}, ["four"]),
    ],
)
def test_each_asks_for_its_own_lines(tool: Tool, asked: dict[str, Any], lines: list[str]) -> None:
    tool("gcloud")  # its own messages say which fields there are
    router = Router(Faults())
    Logs("demo-project", lambda: Written("demo-project"), pods_of).register(router)
    body = json.dumps({**asked, "resourceNames": ["projects/demo-project"]}).encode()
    headers = {"content-type": "application/json"}
    answer = router.answer(Request("POST", "logging.googleapis.com", "/v2/entries:list", {}, headers, body))
    assert [entry["textPayload"] for entry in answer.body["entries"]] == lines
    assert router.unknown == []


def test_a_line_in_json_is_an_entry_as_cloud_logging_makes_one(tool: Tool) -> None:
    tool("gcloud")
    line = {
        "severity": "ERROR",
        "message": "It failed.",
        "time": "2027-01-15T07:00:01.5Z",
        "logging.googleapis.com/trace": "projects/demo-project/traces/4bf92f3577b34da6a3ce929d0e0e4736",
        "logging.googleapis.com/spanId": "00f067aa0ba902b7",
        "status": 500,
    }

    class One(Unhosted):
        def written(self) -> list[tuple[Kind, str, str, str]]:
            return [("run", "web", "web-1", json.dumps(line))]

    router = Router(Faults())
    Logs("demo-project", lambda: One("demo-project"), pods_of).register(router)
    body = json.dumps({"filter": RUN}).encode()
    headers = {"content-type": "application/json"}
    answer = router.answer(Request("POST", "logging.googleapis.com", "/v2/entries:list", {}, headers, body))
    (entry,) = answer.body["entries"]
    assert entry["jsonPayload"] == {"message": "It failed.", "status": 500}
    assert (entry["severity"], entry["timestamp"]) == ("ERROR", line["time"])
    assert (entry["trace"], entry["spanId"]) == (
        line["logging.googleapis.com/trace"],
        line["logging.googleapis.com/spanId"],
    )
    assert "textPayload" not in entry
