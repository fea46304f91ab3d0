"""The API itself: what a request asks for, and what it gets. https://kubernetes.io/docs/reference/using-api/."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Any

from kit.rehearsal.faults import Faults
from kit.rehearsal.kubernetes import discovery
from kit.rehearsal.kubernetes.kinds import KINDS, POD, Kind
from kit.rehearsal.kubernetes.rules import fill_in, refusals
from kit.rehearsal.kubernetes.status import Failure, unauthorized
from kit.rehearsal.kubernetes.store import Key, Object, Store, key_of, text
from kit.rehearsal.wire import ApiError, Request, Response

APPLY, MERGE = "application/apply-patch+yaml", "application/merge-patch+json"
_OBJECT = re.compile(
    r"(?P<root>/api/v1|/apis/[^/]+/[^/]+)(/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[a-z]+)"
    r"(/(?P<name>[^/]+))?(/(?P<sub>log))?"
)
# What a request may say in its query, by verb.
_ANY = {"pretty", "timeout"}
_LISTS = {"labelSelector", "fieldSelector", "limit", "continue", "resourceVersion", "resourceVersionMatch"}
_WRITES = {"fieldManager", "fieldValidation", "dryRun", "force"}
_PARAMETERS = {
    "get": {"resourceVersion"},
    "list": _LISTS,
    "watch": {*_LISTS, "watch", "allowWatchBookmarks", "timeoutSeconds", "sendInitialEvents"},
    "log": {"container", "tailLines", "timestamps", "follow", "sinceSeconds", "limitBytes", "previous"},
    **dict.fromkeys(("create", "update", "patch", "apply"), _WRITES),
    "delete": {"dryRun", "propagationPolicy", "gracePeriodSeconds"},
}
_IDLE_S = 300.0  # a watch without its own limit


@dataclass(frozen=True)
class Stream:
    """An answer that goes on: one piece after another; `cut`: whether it then breaks off without its end."""

    pieces: Iterator[bytes]
    cut: bool = False
    content_type: str = "application/json"


class Api:
    """One cluster's API.

    Args:
        store: its objects.
        admits: whether a Bearer token is good.
        log: the lines of a pod's log so far, oldest first, each with its time.
        faults: what goes wrong; a call's name is "kubernetes.VERB.PLURAL", VERB one of get, list, watch,
            create, update, patch, apply, delete and log.
        record: called with the name of each call, its request and its body.
        fail: called with each call that the API does not know, in words.

    Attributes:
        minor: which version of Kubernetes it says it is: 1.MINOR.
        watch_cuts: how many watches, from now on, break off after one event.
    """

    def __init__(
        self,
        store: Store,
        *,
        admits: Callable[[str], bool],
        log: Callable[[Key], list[tuple[str, str]]],
        faults: Faults,
        record: Callable[[str, Request, Any], None],
        fail: Callable[[str], None],
    ) -> None:
        self.minor = 33
        self.watch_cuts = 0
        self._store = store
        self._admits = admits
        self._log = log
        self._faults = faults
        self._record = record
        self._fail = fail
        self._closed = False

    def close(self) -> None:
        """End all that goes on."""
        self._closed = True
        self._store.poke()

    def answer(self, request: Request) -> Response | Stream:
        """Answer one request, whatever happens."""
        found = _find(request)
        verb = _verb(request, found[1]) if found else ""
        name = (
            f"kubernetes.{verb}.{found[0].plural}" if found else f"kubernetes.{request.method} {request.path}"
        )
        try:
            body = request.json if request.body else None
            self._record(name, request, body)
            if (fault := self._faults.meet(name)) is not None:
                return fault
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme != "Bearer" or not self._admits(token):
                raise unauthorized()
            if found is None:
                return self._discover(request)
            if unknown := request.query.keys() - _PARAMETERS[verb] - _ANY:
                raise self._unknown(f"{name} with {', '.join(sorted(unknown))}")
            return self._do(verb, *found, request, body)
        except ApiError as error:
            return error.response
        except Exception as error:  # a mistake of this server's must not look like an answer
            self._fail(f"{name}: {type(error).__name__}: {error}")
            return Failure("InternalError", "The loopback API server failed.").response

    def _unknown(self, what: str) -> Failure:
        self._fail(f"the loopback API server does not know {what}")
        return Failure("MethodNotAllowed", f"the loopback API server does not know {what}")

    def _discover(self, request: Request) -> Response:
        found = discovery.answer(request.path, request.headers.get("accept", ""), self.minor)
        if request.method != "GET" or found is None:
            raise self._unknown(f"{request.method} {request.path} {dict(request.query)}")
        return found

    def _do(
        self, verb: str, kind: Kind, parts: Mapping[str, str | None], request: Request, body: Any
    ) -> Response | Stream:
        namespace, name = parts["namespace"] or "", parts["name"] or ""
        key = Key(kind, namespace, name)
        query = request.query
        if verb == "log":
            return self._logs(key, query)
        if verb == "get":
            return Response(self._store.get(key))
        if verb in ("list", "watch"):
            selects = _selector(query)
            return (
                self._list(kind, namespace, selects)
                if verb == "list"
                else self._watch(kind, namespace, query)
            )
        if verb == "delete":
            if query.get("dryRun"):
                return Response(self._store.get(key))
            return self._deleted(key, self._store.delete(key))
        return self._write(verb, key, request, body)

    def _list(self, kind: Kind, namespace: str, selects: Callable[[Object], bool]) -> Response:
        with self._store.changed:
            items = [each for each in self._store.all(kind, namespace) if selects(each)]
            meta = {"resourceVersion": str(self._store.version)}
        return Response(
            {"kind": f"{kind.name}List", "apiVersion": kind.api_version, "metadata": meta, "items": items}
        )

    def _deleted(self, key: Key, value: Object) -> Response:
        if "deletionTimestamp" in value["metadata"]:
            return Response(value)
        details = {"name": key.name, "group": key.kind.group, "kind": key.kind.plural}
        details["uid"] = value["metadata"]["uid"]
        body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        return Response(body)

    # ---- Changes

    def _write(self, verb: str, key: Key, request: Request, body: Any) -> Response:
        query = request.query
        manager, force = query.get("fieldManager", "kubectl"), query.get("force") == "true"
        dry = bool(query.get("dryRun"))
        if not isinstance(body, dict):
            raise Failure("BadRequest", "the body is no object")
        if verb == "create":
            key = key._replace(name=body.get("metadata", {}).get("name", ""))
        before = self._store.find(key)
        if verb == "create" and before is not None:
            raise Failure("AlreadyExists", f'{key.kind.resource} "{key.name}" already exists')
        if verb in ("update", "patch") and before is None:
            self._store.get(key)
        if verb == "patch":
            assert before is not None
            changed, body = body, _merged(before, body)
        else:
            changed = body
        self._check_identity(key, body)
        self._check_fields(key, body)

        def check(value: Object) -> None:
            unknown, invalid = key.kind.problems(value)
            wrong = [f"unknown field {each}" for each in unknown] + (
                invalid or list(refusals(key.kind, value, before))
            )
            if wrong:
                raise Failure("Invalid", f'{key.kind.qualified} "{key.name}" is invalid: {"; ".join(wrong)}')

        def default(value: Object) -> None:
            fill_in(key.kind, value)

        if verb == "apply":
            made, new = self._store.apply(
                key, body, manager, force=force, default=default, check=check, dry=dry
            )
            return Response(made, 201 if new else 200)
        version = body["metadata"].get("resourceVersion")
        if before is not None and version not in (None, before["metadata"]["resourceVersion"]):
            raise Failure(
                "Conflict",
                f'Operation cannot be fulfilled on {key.kind.resource} "{key.name}": the object has been '
                "modified; please apply your changes to the latest version and try again",
            )
        default(body)
        check(body)
        if dry:
            return Response(body)
        made = self._store.put(key, body)
        self._store.own(key, {name: each for name, each in changed.items() if name == "spec"}, manager)
        return Response(made, 201 if before is None else 200)

    def _check_identity(self, key: Key, body: Object) -> None:
        if (body.get("apiVersion"), body.get("kind")) != (key.kind.api_version, key.kind.name):
            raise Failure("BadRequest", f"the body is no {key.kind.name} of {key.kind.api_version}")
        meta = body.get("metadata")
        if not isinstance(meta, dict) or meta.get("name") != key.name:
            raise Failure("BadRequest", "the name of the object does not match the name on the URL")
        if meta.get("namespace", key.namespace) != key.namespace:
            raise Failure("BadRequest", "the namespace of the object does not match the namespace on the URL")

    def _check_fields(self, key: Key, body: Object) -> None:
        """Whatever the request says of its validation: what is not known here is refused."""
        unknown, _ = key.kind.problems(body)
        if unknown:
            fields = ", ".join(f'unknown field "{each}"' for each in unknown)
            raise Failure(
                "BadRequest",
                f'{key.kind.name} in version "{key.kind.version}" cannot be handled as a {key.kind.name}: '
                f"strict decoding error: {fields}",
            )

    # ---- What goes on

    def _watch(self, kind: Kind, namespace: str, query: Mapping[str, str]) -> Stream:
        """All changes after a version; without one (or with "0") first all that is there, as ADDED.

        `sendInitialEvents` ends that beginning by a bookmark, as the newest kubectl wants it.
        """
        selects = _selector(query)
        since = query.get("resourceVersion", "")
        initial = query.get("sendInitialEvents") == "true"
        limit_s = float(query.get("timeoutSeconds", _IDLE_S))
        cut = self.watch_cuts > 0
        self.watch_cuts -= cut

        def events() -> Iterator[bytes]:
            seen: set[str] = set()
            with self._store.changed:
                at = self._store.version
                there = self._store.all(kind, namespace)
            if initial or since in ("", "0"):
                for each in filter(selects, there):
                    seen.add(each["metadata"]["uid"])
                    yield _event("ADDED", each)
            else:
                at = int(since)
                new = {event.key for event in self._store.since(at, kind)[1] if event.type == "ADDED"}
                seen |= {
                    each["metadata"]["uid"] for each in there if selects(each) and key_of(each) not in new
                }
            if initial:
                meta = {"resourceVersion": str(at), "annotations": {"k8s.io/initial-events-end": "true"}}
                yield _event(
                    "BOOKMARK", {"kind": kind.name, "apiVersion": kind.api_version, "metadata": meta}
                )
            give_up = monotonic() + limit_s
            while not self._closed and (left_s := give_up - monotonic()) > 0:
                at, found = self._store.since(at, kind, namespace)
                for event in found:
                    uid, matches = event.object["metadata"]["uid"], selects(event.object)
                    if event.type == "DELETED" or not matches:
                        what = "DELETED"
                    else:
                        what = "MODIFIED" if uid in seen else "ADDED"
                    if matches or uid in seen:
                        yield _event(what, event.object)
                    seen = seen - {uid} if what == "DELETED" else seen | {uid}
                with self._store.changed:
                    # Under the lock: no change may come between the look and the wait.
                    if self._store.version == at and not self._closed:
                        self._store.changed.wait(left_s)

        return Stream(islice(events(), 1), cut=True) if cut else Stream(events())

    def _logs(self, key: Key, query: Mapping[str, str]) -> Response | Stream:
        pod = self._store.get(key)
        names = [each["name"] for each in pod["spec"]["containers"]]
        if query.get("container", names[0]) not in names:
            raise Failure("BadRequest", f"container {query['container']} is not valid for pod {key.name}")
        if pod["status"]["phase"] == "Pending":
            waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"]
            raise Failure(
                "BadRequest",
                f'container "{names[0]}" in pod "{key.name}" is waiting to start: {waiting}',
            )

        def lines(of: list[tuple[str, str]]) -> bytes:
            stamped = query.get("timestamps") == "true"
            return "".join(f"{time} {line}\n" if stamped else f"{line}\n" for time, line in of).encode()

        written = self._log(key)
        tail = query.get("tailLines")
        shown = written if tail is None else written[len(written) - min(int(tail), len(written)) :]
        if query.get("follow") != "true":
            return Response(lines(shown), 200, {"content-type": "text/plain"})

        def follow() -> Iterator[bytes]:
            at = len(written)
            yield lines(shown)
            while not self._closed and self._store.find(key) is not None:
                with self._store.changed:
                    self._store.changed.wait(0.1)
                more = self._log(key)[at:]
                at += len(more)
                if more:
                    yield lines(more)

        return Stream(follow(), content_type="text/plain")


def _find(request: Request) -> tuple[Kind, Mapping[str, str | None]] | None:
    parts = _OBJECT.fullmatch(request.path)
    if parts is None:
        return None
    for kind in KINDS:
        if (kind.root, kind.plural) == (parts["root"], parts["plural"]):
            fits = not parts["namespace"] or kind.namespaced
            return (kind, parts.groupdict()) if fits and (not parts["sub"] or kind is POD) else None
    return None


def _verb(request: Request, parts: Mapping[str, str | None]) -> str:
    """What is asked for, as Kubernetes' own verbs have it (apply and log apart)."""
    if request.method == "GET":
        if parts["sub"]:
            return "log"
        if parts["name"]:
            return "get"
        return "watch" if request.query.get("watch") in ("1", "true") else "list"
    if request.method == "PATCH":
        return "apply" if request.headers.get("content-type") == APPLY else "patch"
    return {"POST": "create", "PUT": "update", "DELETE": "delete"}[request.method]


def _selector(query: Mapping[str, str]) -> Callable[[Object], bool]:
    """What a list's or a watch's selectors let through. Raises Failure BadRequest."""
    terms = []
    for term in filter(None, re.split(r",\s*(?![^(]*\))", query.get("labelSelector", ""))):
        found = re.fullmatch(
            r"(!?)([\w./-]+)\s*(?:(=|==|!=)\s*([\w.-]*)|(in|notin)\s*\(([^)]*)\))?", term.strip()
        )
        if found is None:
            raise Failure("BadRequest", f"unable to parse requirement: {term}")
        terms.append(found.groups())
    fields = dict(each.split("=", 1) for each in filter(None, query.get("fieldSelector", "").split(",")))
    if fields.keys() - {"metadata.name", "metadata.namespace"}:
        raise Failure("BadRequest", f"field label not supported: {fields}")

    def selects(value: Object) -> bool:
        meta = value["metadata"]
        if any(meta.get(at.removeprefix("metadata.")) != wanted for at, wanted in fields.items()):
            return False
        return all(_holds(meta.get("labels", {}), *term) for term in terms)

    return selects


def _holds(
    labels: Mapping[str, str],
    absent: str,
    name: str,
    sign: str | None,
    word: str,
    among: str | None,
    words: str,
) -> bool:
    value = labels.get(name)
    if among:
        return (value in {each.strip() for each in words.split(",")}) == (among == "in")
    if sign:
        return (value == word) == (sign != "!=")
    return (value is None) == bool(absent)


def _merged(value: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(value) if isinstance(value, dict) else {}
    for name, each in patch.items():
        if each is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), each)
    return merged


def _event(what: str, value: Object) -> bytes:
    return text({"type": what, "object": value}).encode() + b"\n"
