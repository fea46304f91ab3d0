"""The objects of one cluster: versions, generations, finalizers, owners of fields, and what changed when.

A server-side apply is merged more simply than Kubernetes does it: a list is one field, whatever its keys.
Every method may be called from any thread; what is returned is a copy, but for events.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any, Literal, NamedTuple

from kit.rehearsal.kubernetes.kinds import KINDS, NAMESPACE, SERVICE, Kind
from kit.rehearsal.kubernetes.status import Failure, conflict
from kit.rehearsal.storage import now

Object = dict[str, Any]
Path = tuple[str, ...]
# What an apply may say of an object's identity, which belongs to no manager.
_IDENTITY = {("apiVersion",), ("kind",), ("metadata", "name"), ("metadata", "namespace")}
_SERVERS = ("uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "managedFields")


class Key(NamedTuple):
    """Which object. `namespace` is "" where its kind has none."""

    kind: Kind
    namespace: str
    name: str


class Event(NamedTuple):
    """One change: the version that it made, what it was, and the object after it (a deleted one: before)."""

    version: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    key: Key
    object: Object


class Store:
    """All objects.

    Attributes:
        changed: notified with every change; its lock guards all.
        version: of the newest change.
    """

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.version = 1000
        self._objects: dict[Key, Object] = {}
        self._owners: dict[Key, dict[Path, set[str]]] = {}
        self._events: list[Event] = []
        for name in ("default", "kube-system"):
            self.put(Key(NAMESPACE, "", name), {"metadata": {"name": name}})

    # ---- Reading

    def get(self, key: Key) -> Object:
        """An object. Raises Failure NotFound."""
        with self.changed:
            if key not in self._objects:
                raise Failure("NotFound", f'{key.kind.resource} "{key.name}" not found')
            return deepcopy(self._objects[key])

    def find(self, key: Key) -> Object | None:
        """An object, where there is one."""
        with self.changed:
            return deepcopy(self._objects.get(key))

    def all(self, kind: Kind, namespace: str = "") -> list[Object]:
        """All objects of a kind, in a namespace or in all, by name."""
        with self.changed:
            return [
                deepcopy(self._objects[key])
                for key in sorted(self._objects, key=lambda key: key[1:])
                if key.kind is kind and namespace in ("", key.namespace)
            ]

    def keys(self, namespace: str) -> list[Key]:
        """All that is in a namespace."""
        with self.changed:
            return [key for key in self._objects if key.namespace == namespace]

    def since(self, version: int, kind: Kind, namespace: str = "") -> tuple[int, list[Event]]:
        """The newest version, and the changes of a kind's objects after `version`, oldest first."""
        with self.changed:
            found = [
                event
                for event in self._events
                if event.version > version and event.key.kind is kind
                if namespace in ("", event.key.namespace)
            ]
            return self.version, found

    # ---- Changing

    def put(self, key: Key, value: Mapping[str, Any]) -> Object:
        """Make an object, or change it to `value` but for its status and the server's own fields.

        Raises Failure Forbidden where its namespace is being deleted, NotFound where there is none.
        """
        with self.changed:
            before = self._objects.get(key)
            if before is None:
                self._may_create(key)
            meta = {name: each for name, each in value["metadata"].items() if name not in _SERVERS}
            after = {
                "apiVersion": key.kind.api_version,
                "kind": key.kind.name,
                **{
                    name: deepcopy(each) for name, each in value.items() if name not in ("status", "metadata")
                },
                "metadata": {**deepcopy(meta), **({"namespace": key.namespace} if key.namespace else {})},
            }
            own: Object = (
                before["metadata"] if before else {"uid": str(uuid.uuid4()), "creationTimestamp": now()}
            )
            after["metadata"] |= {name: own[name] for name in _SERVERS if name in own}
            if "status" in (before or value):
                after["status"] = deepcopy((before or value)["status"])
            if key.kind.spec is not None and key.kind is not SERVICE:
                grown = before is None or before.get("spec") != after.get("spec")
                after["metadata"]["generation"] = own.get("generation", 0) + int(grown)
            return self._keep(key, before, after)

    def apply(self, key: Key, value: Object, manager: str, *, force: bool, default: Callable[[Object], None],
              check: Callable[[Object], None], dry: bool) -> tuple[Object, bool]:  # fmt: skip
        """Merge what a manager wants into an object, or make it; whether it is new.

        Args:
            key: which one.
            value: all that this manager wants of it; what it wanted before and leaves out goes.
            manager: whose wish it is.
            force: whether it takes fields from others; else Failure Conflict is raised.
            default: fills in what a new object lacks.
            check: raises Failure where what came of it may not be.
            dry: whether nothing is kept.
        """
        with self.changed:
            before, owners = self._objects.get(key), self._owners.get(key, {})
            wanted = dict(_leaves({name: each for name, each in value.items() if name != "status"}))
            after = deepcopy(before or {"metadata": {}})
            taken = []
            for path, each in wanted.items():
                others = owners.get(path, set()) - {manager}
                if others and _at(after, path) != each:
                    taken += [
                        ("." + ".".join(path), f'"{other}" using {key.kind.api_version}') for other in others
                    ]
            if taken and not force:
                raise conflict(taken)
            new_owners = {path: set(names) for path, names in owners.items()}
            for path, names in owners.items():
                if manager in names and path not in wanted:
                    new_owners[path] = names - {manager}
                    if not new_owners[path]:
                        del new_owners[path]
                        _remove(after, path)
            for path, each in wanted.items():
                same = _at(after, path) == each
                _set(after, path, each)
                if path not in _IDENTITY:
                    new_owners[path] = (new_owners.get(path, set()) if same else set()) | {manager}
            default(after)
            check(after)
            if dry:
                return after, before is None
            kept = self.put(key, after)
            self._owners[key] = new_owners
            return kept, before is None

    def own(self, key: Key, paths: Mapping[str, Any], manager: str) -> None:
        """A manager has these fields now, as after an update of its."""
        with self.changed:
            owners = self._owners.setdefault(key, {})
            for path, _ in _leaves(dict(paths)):
                owners[path] = {manager}

    def set_status(self, key: Key, status: Mapping[str, Any], **meta: Any) -> None:
        """Say how an object does; and further fields of its metadata. Nothing where it is so, or has gone."""
        with self.changed:
            if (before := self._objects.get(key)) is not None:
                after = {
                    **before,
                    "status": deepcopy(dict(status)),
                    "metadata": {**before["metadata"], **meta},
                }
                self._keep(key, before, after)

    def delete(self, key: Key) -> Object:
        """Delete an object; one with finalizers is only marked, until `finalize`. Raises Failure NotFound."""
        with self.changed:
            before = self.get(key)
            if not before["metadata"].get("finalizers") and key.kind is not NAMESPACE:
                return self._drop(key)
            if "deletionTimestamp" in before["metadata"]:
                return before
            after = {**before, "metadata": {**before["metadata"], "deletionTimestamp": now()}}
            if key.kind is NAMESPACE:
                after["status"] = {"phase": "Terminating"}
            return self._keep(key, before, after)

    def finalize(self, key: Key) -> None:
        """Take the finalizers away: one that is marked goes."""
        with self.changed:
            if key in self._objects and "deletionTimestamp" in self._objects[key]["metadata"]:
                self._objects[key]["metadata"].pop("finalizers", None)
                self._drop(key)

    def poke(self) -> None:
        """Wake all that wait for changes."""
        with self.changed:
            self.changed.notify_all()

    def _may_create(self, key: Key) -> None:
        if not key.namespace:
            return
        space = self._objects.get(Key(NAMESPACE, "", key.namespace))
        if space is None:
            raise Failure("NotFound", f'namespaces "{key.namespace}" not found')
        if "deletionTimestamp" in space["metadata"]:
            raise Failure(
                "Forbidden",
                f'{key.kind.resource} "{key.name}" is forbidden: unable to create new content in namespace '
                f"{key.namespace} because it is being terminated",
            )

    def _keep(self, key: Key, before: Object | None, after: Object) -> Object:
        if before is not None and before == after:
            return deepcopy(before)
        self.version += 1
        after["metadata"]["resourceVersion"] = str(self.version)
        self._objects[key] = after
        self._tell("ADDED" if before is None else "MODIFIED", key, after)
        return deepcopy(after)

    def _drop(self, key: Key) -> Object:
        gone = self._objects.pop(key)
        self._owners.pop(key, None)
        self.version += 1
        gone = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self.version)}}
        self._tell("DELETED", key, gone)
        return deepcopy(gone)

    def _tell(self, what: Literal["ADDED", "MODIFIED", "DELETED"], key: Key, value: Object) -> None:
        self._events.append(Event(self.version, what, key, deepcopy(value)))
        self.changed.notify_all()


def key_of(value: Mapping[str, Any]) -> Key:
    """Which object a whole one is."""
    kind = next(
        each for each in KINDS if (each.api_version, each.name) == (value["apiVersion"], value["kind"])
    )
    return Key(kind, value["metadata"].get("namespace", ""), value["metadata"]["name"])


def _leaves(value: Object, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """All that is no object, and objects without fields, by their paths."""
    for name, each in value.items():
        if isinstance(each, dict) and each:
            yield from _leaves(each, (*at, name))
        else:
            yield (*at, name), deepcopy(each)


def _at(value: Any, path: Path) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _set(value: Object, path: Path, each: Any) -> None:
    for name in path[:-1]:
        if not isinstance(value.get(name), dict):
            value[name] = {}
        value = value[name]
    value[path[-1]] = deepcopy(each)


def _remove(value: Object, path: Path) -> None:
    parent = _at(value, path[:-1])
    if isinstance(parent, dict):
        parent.pop(path[-1], None)
        if not parent and len(path) > 1:
            _remove(value, path[:-1])


def text(value: Object) -> str:
    """An object as a line of JSON."""
    return json.dumps(value, separators=(",", ":"))
