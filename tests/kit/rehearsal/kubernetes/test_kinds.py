"""Which fields an object may have, and which values."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import kubernetes_validate
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.rehearsal.kubernetes.kinds import BACKEND_POLICY, DEPLOYMENT, GATEWAY, KINDS, ROUTE, SERVICE, Kind
from kit.rehearsal.kubernetes.store import key_of
from tests.kit.rehearsal.kubernetes import manifests as made

ALL = (
    made.namespace(),
    made.deployment(),
    made.service(),
    made.policy(),
    made.health(),
    made.gateway(),
    made.gateway("HTTPS", 443),
    made.route(made.opened(), made.served(web_1=1)),
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every object in a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [each for name, one in inner for each in places(one, (*at, name))]
    return [at, *found] if isinstance(value, dict) else found


# Whose keys are free.
FREE = ("labels", "matchLabels", "selector", "options")


@pytest.mark.parametrize("value", ALL, ids=lambda value: str(value["kind"]))
def test_a_right_object_is_right_and_one_more_field_anywhere_is_unknown(value: dict[str, Any]) -> None:
    kind = key_of(value).kind
    assert kind.problems(value) == ([], [])
    for place in places(value):
        if place and place[-1] in FREE and value["kind"] != "Deployment":
            continue
        changed = deepcopy(value)
        at = changed
        for name in place:
            at = at[name]
        at["timeoutSecs"] = "1"
        unknown, _ = kind.problems(changed)
        assert len(unknown) == (place[-1:] not in [(name,) for name in FREE] or place[-1:] == ("selector",))


@pytest.mark.parametrize(
    ("kind", "value", "at"),
    [
        (BACKEND_POLICY, made.policy(timeout_s=0), "spec.default.timeoutSec"),
        (SERVICE, made.service("1-web"), "metadata.name"),
        (SERVICE, made.service("w" * 64), "metadata.name"),
        (ROUTE, made.route(made.served(web_1=-1)), "spec.rules[0].backendRefs[0].weight"),
        (ROUTE, made.route(made.opened(timeouts={"request": 5})), "spec.rules[0].timeouts.request"),
        (DEPLOYMENT, made.deployment(replicas="1"), "spec.replicas"),
        (DEPLOYMENT, made.deployment(replicas=True), "spec.replicas"),
        (GATEWAY, made.gateway(port=0), "spec.listeners[0].port"),
    ],
)
def test_a_value_that_does_not_fit_is_named_by_its_path(kind: Kind, value: dict[str, Any], at: str) -> None:
    unknown, invalid = kind.problems(value)
    assert unknown == []
    assert invalid[0].startswith(f"{at}: ")


def full(shape: Any) -> Any:
    """A value with every field that a shape has."""
    if isinstance(shape, dict) and str in shape:
        return {"name": full(shape[str])}
    if isinstance(shape, dict):
        return {name.rstrip("!"): full(inner) for name, inner in shape.items()}
    if isinstance(shape, list):
        return [full(shape[0])]
    if isinstance(shape, frozenset):
        return min(shape)
    if isinstance(shape, range):
        return shape[0]
    kind = shape[0] if isinstance(shape, tuple) else shape
    return {int: 1, bool: True, str: "x"}.get(kind, "1")


@pytest.mark.parametrize("kind", [DEPLOYMENT, SERVICE], ids=lambda kind: str(kind.name))
def test_kubernetes_own_schema_has_every_field(kind: Kind) -> None:
    value = {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": "x"},
        "spec": full(kind.spec),
    }
    kubernetes_validate.validate(value, "1.33", strict=True)


def test_what_must_be_there_is_missed() -> None:
    value = made.deployment()
    del value["spec"]["template"]["spec"]["containers"][0]["image"]
    assert DEPLOYMENT.problems(value)[1] == ["spec.template.spec.containers[0].image: Required value"]


@given(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(["metadata", "spec", "status", "x"]), JSON))
def test_whatever_is_sent_gets_sentences_and_never_an_error(kind: Kind, value: dict[str, Any]) -> None:
    for sentences in kind.problems(value):
        assert all(isinstance(each, str) for each in sentences)
