"""What services wrote, asked for as `gcloud app logs read` and `gcloud run services logs read` ask."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.controlplane.faults import Faults
from tests.controlplane.logs import Logs
from tests.controlplane.router import Router
from tests.controlplane.uploads import Kind, Unhosted
from tests.controlplane.wire import Request
from tests.fixtures.tools import Tool

APP = 'resource.type="gae_app" AND resource.labels.module_id="web"'
RUN = "resource.type = cloud_run_revision \n AND resource.labels.service_name = web \n"


class Written(Unhosted):
    """Two services of one name, one of them with two versions."""

    def written(self) -> list[tuple[Kind, str, str, str]]:
        return [
            ("standard", "web", "v1", "one"),
            ("flex", "web", "v2", "two"),
            ("run", "web", "web-1", "three"),
            ("run", "web", "web-1", "four"),
        ]


@pytest.mark.parametrize(
    ("asked", "lines"),
    [
        ({"filter": APP}, ["one", "two"]),
        ({"filter": f'{APP} AND resource.labels.version_id="v2"'}, ["two"]),
        ({"filter": f"{RUN} AND resource.labels.location = europe-west1 \n"}, ["three", "four"]),
        ({"filter": RUN, "orderBy": "timestamp desc", "pageSize": 1}, ["four"]),
    ],
)
def test_each_asks_for_its_own_lines(tool: Tool, asked: dict[str, Any], lines: list[str]) -> None:
    tool("gcloud")  # its own messages say which fields there are
    router = Router(Faults())
    Logs("demo-project", lambda: Written("demo-project")).register(router)
    body = json.dumps({**asked, "resourceNames": ["projects/demo-project"]}).encode()
    headers = {"content-type": "application/json"}
    answer = router.answer(Request("POST", "logging.googleapis.com", "/v2/entries:list", {}, headers, body))
    assert [entry["textPayload"] for entry in answer.body["entries"]] == lines
    assert router.unknown == []
