"""What becomes of objects that are made, applied, changed and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from kit.rehearsal.kubernetes.kinds import DEPLOYMENT, GATEWAY, NAMESPACE, SERVICE, Kind
from kit.rehearsal.kubernetes.status import Failure
from kit.rehearsal.kubernetes.store import Key, Store, key_of
from tests.kit.rehearsal.kubernetes import manifests as made


@pytest.fixture
def store() -> Store:
    store = Store()
    store.put(key_of(made.namespace()), made.namespace())
    return store


def apply(
    store: Store, value: dict[str, Any], manager: str = "kit", *, force: bool = False
) -> dict[str, Any]:
    def nothing(value: dict[str, Any]) -> None:
        pass

    done, _ = store.apply(
        key_of(value), value, manager, force=force, default=nothing, check=nothing, dry=False
    )
    return done


def types(store: Store, kind: Kind, since: int = 0) -> list[str]:
    return [event.type for event in store.since(since, kind)[1]]


def test_an_apply_makes_changes_and_takes_back_what_is_left_out(store: Store) -> None:
    first = apply(store, made.deployment(replicas=2, paused=True))
    assert first["metadata"]["generation"] == 1
    second = apply(store, made.deployment(replicas=3))
    assert second["spec"]["replicas"] == 3
    assert "paused" not in second["spec"]
    assert second["metadata"]["generation"] == 2
    assert second["metadata"]["uid"] == first["metadata"]["uid"]
    assert apply(store, made.deployment(replicas=3)) == second
    assert types(store, DEPLOYMENT) == ["ADDED", "MODIFIED"]


def test_a_status_raises_the_version_and_not_the_generation(store: Store) -> None:
    made_first = apply(store, made.deployment())
    key = key_of(made_first)
    store.set_status(key, {"replicas": 1})
    store.set_status(key, {"replicas": 1})
    after = store.get(key)
    assert after["metadata"]["generation"] == 1
    assert int(after["metadata"]["resourceVersion"]) == int(made_first["metadata"]["resourceVersion"]) + 1
    assert apply(store, made.deployment(replicas=2))["status"] == {"replicas": 1}


def test_what_another_manager_has_is_a_conflict_unless_it_agrees_or_is_forced(store: Store) -> None:
    apply(store, made.deployment(replicas=1))
    store.own(key_of(made.deployment()), {"spec": {"replicas": 1}}, "kubectl")
    apply(store, made.deployment(replicas=1))
    with pytest.raises(Failure) as refused:
        apply(store, made.deployment(replicas=2))
    assert refused.value.message == (
        'Apply failed with 1 conflict: conflict with "kubectl" using apps/v1: .spec.replicas'
    )
    assert apply(store, made.deployment(replicas=2), force=True)["spec"]["replicas"] == 2


def test_an_object_with_a_finalizer_stays_until_that_is_taken_away(store: Store) -> None:
    gateway = apply(store, made.gateway())
    key = key_of(gateway)
    store.set_status(key, {}, finalizers=["some.body/waits"])
    assert "deletionTimestamp" in store.delete(key)["metadata"]
    assert store.find(key) is not None
    store.finalize(key)
    assert store.find(key) is None
    assert types(store, GATEWAY) == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]


def test_nothing_is_made_in_a_namespace_that_is_not_there_or_goes(store: Store) -> None:
    space = Key(NAMESPACE, "", "space")
    apply(store, made.service())
    store.delete(space)
    with pytest.raises(Failure, match="because it is being terminated"):
        apply(store, made.deployment())
    store.delete(key_of(made.service()))
    store.finalize(space)
    with pytest.raises(Failure, match='namespaces "space" not found'):
        apply(store, made.deployment())


def test_what_is_asked_for_is_a_copy(store: Store) -> None:
    apply(store, made.service())
    key = key_of(made.service())
    store.get(key)["spec"]["ports"].clear()
    assert store.get(key)["spec"]["ports"]
    assert types(store, SERVICE, store.version) == []
