"""What Cloud Run holds to, whichever client asks."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from kit.rehearsal.knative import Service
from kit.rehearsal.wire import ApiError

LATEST = {"latestRevision": True, "percent": 100}
TWICE = [{"revisionName": f"web-{suffix}", "tag": "x"} for suffix in ("one", "two")]


def body(suffix: str, *traffic: dict[str, Any], image: str = "image", **metadata: Any) -> dict[str, Any]:
    """A service as a client sends it, with a template of that suffix."""
    template = {
        "metadata": {"name": f"web-{suffix}", "labels": {"made-by": "me"}},
        "spec": {"containers": [{"image": f"{image}@sha256:1", "env": [{"name": "A", "value": suffix}]}]},
    }
    spec: dict[str, Any] = {"template": template}
    if traffic:
        spec["traffic"] = list(traffic)
    return {"metadata": {"name": "web", **metadata}, "spec": spec}


def made(*suffixes: str) -> Service:
    """A service with these revisions; the last one is the latest, and all of them are ready."""
    service = Service("web", "europe-west1", "123456789012")
    for suffix in suffixes:
        service.settle(service.apply(body(suffix), "operation"))
    return service


def conditions(service: Service) -> set[str]:
    return {condition["status"] for condition in service.resource()["status"]["conditions"]}


def test_the_first_revision_serves_once_it_is_ready() -> None:
    service = Service("web", "europe-west1", "123456789012")
    revision = service.apply(body("one"), "operation")
    assert service.shares == {}
    assert conditions(service) == {"Unknown"}
    service.settle(revision)
    assert service.shares == {"web-one": 1}
    assert conditions(service) == {"True"}
    shown = service.revision_resource("web-one")
    assert shown["metadata"]["labels"]["made-by"] == "me"
    assert shown["metadata"]["labels"]["serving.knative.dev/service"] == "web"
    assert service.revisions["web-one"].environment == {"A": "one"}


def test_a_change_of_traffic_alone_makes_no_revision_and_is_not_ready_at_once() -> None:
    service = made("one")
    assert (
        service.apply(body("one", LATEST, {"revisionName": "web-one", "tag": "first"}), "operation") is None
    )
    assert conditions(service) == {"Unknown"}
    service.settle(None)
    assert service.tags == {"first": "web-one"}
    assert service.resource()["metadata"]["generation"] == 2


def test_a_revision_that_does_not_start_leaves_the_traffic_where_it_was() -> None:
    service = made("one")
    service.settle(service.apply(body("two"), "operation"), "it did not start")
    assert service.shares == {"web-one": 1}
    assert conditions(service) == {"False"}
    status = service.resource()["status"]
    assert (status["latestCreatedRevisionName"], status["latestReadyRevisionName"]) == ("web-two", "web-one")
    assert status["conditions"][0]["message"] == "it did not start"


def test_a_revision_goes_only_without_traffic_and_tag_and_never_the_latest() -> None:
    service = made("one", "two", "three")
    tagged = body("three", LATEST, {"revisionName": "web-two", "tag": "second"})
    service.apply(tagged, "operation")
    service.settle(None)
    service.delete_revision("web-one")
    assert list(service.revisions) == ["web-two", "web-three"]
    with pytest.raises(ApiError, match="tag"):
        service.delete_revision("web-two")
    service.apply(body("three", {"revisionName": "web-two", "percent": 100}), "operation")
    service.settle(None)
    with pytest.raises(ApiError, match="latest"):
        service.delete_revision("web-three")


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (body("one", LATEST, image="other"), "different configuration already exists"),
        (body("two", {"latestRevision": True, "percent": 90}), "add up to 100"),
        (body("two", {"revisionName": "web-nine", "percent": 100}), "'web-nine' not found"),
        (body("two", LATEST, {"revisionName": "web-one", "tag": "x" * 44}), "too long"),
        (body("two", LATEST, *TWICE), "one revision only"),
        (body("two", resourceVersion="stale"), "Conflict for resource 'web'"),
        (body("x" * 60), "at most 63"),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing(asked: dict[str, Any], refusal: str) -> None:
    service = made("one")
    before = deepcopy(service.resource())
    with pytest.raises(ApiError, match=refusal):
        service.apply(asked, "operation")
    assert service.resource() == before


def test_a_service_is_public_once_everybody_is_an_invoker() -> None:
    service = made("one")
    assert not service.public
    service.policy = {"bindings": [{"role": "roles/run.developer", "members": ["allUsers"]}]}
    assert not service.public
    service.policy = {"bindings": [{"role": "roles/run.invoker", "members": ["allUsers"]}]}
    assert service.public
