"""Deployments: their pods, of which one process stands for all, and how a rollout goes on."""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from kit.rehearsal.kubernetes.clock import Clock
from kit.rehearsal.kubernetes.conditions import Condition, shown
from kit.rehearsal.kubernetes.kinds import DEPLOYMENT, POD
from kit.rehearsal.kubernetes.store import Key, Object, Store, text
from kit.rehearsal.storage import now
from kit.rehearsal.uploads import Hosting, Upload
from kit.rehearsal.wire import ApiError

_RESTARTS = 5
State = Literal["new", "unpulled", "unset", "starting", "ready", "failed", "stopping"]
_WAITING: tuple[State, ...] = ("new", "unpulled", "unset")


@dataclass
class _Run:
    """What runs for one Deployment. `template`: the digest of what its pods are made from; `why` it fails;
    `pre_stop_s`: how long a pod that goes sleeps before it gets SIGTERM."""

    template: str
    pre_stop_s: float = 0.0
    state: State = "new"
    why: str = ""
    restarts: int = 0
    log: list[tuple[str, str]] = field(default_factory=list)


class Pods:
    """All pods of a cluster.

    Args:
        store, clock: the cluster's.
        hosting: what runs them: versions, named as their Deployments, of a service named as the namespace.
        image: the files that an image was built from; None where it cannot be pulled.
        fail: called with a mistake of this server's.

    Attributes:
        seconds: how long a pod takes to be scheduled, beside what it takes to start.
        progress_s: after so long a rollout has missed its deadline; None: as its Deployment says.
        pre_stop_s: how long a preStop hook sleeps; None: as its Deployment says. A pod that goes gets no more
            requests meanwhile, and what it has goes on
            (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination).
        restart_s: how long after each other a container that failed starts over, as its pod counts it.
        stuck: whether pods start and never get ready.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        hosting: Callable[[], Hosting],
        image: Callable[[str], Mapping[str, bytes] | None],
        fail: Callable[[str], None],
    ) -> None:
        self.seconds = 0.0
        self.progress_s: float | None = None
        self.pre_stop_s: float | None = 0.2
        self.stuck = False
        self.restart_s = 0.1
        self._store = store
        self._clock = clock
        self._hosting = hosting
        self._image = image
        self._fail = fail
        self._runs: dict[tuple[str, str], _Run] = {}

    def reconcile(self) -> None:
        """Bring what runs nearer to what is wanted, and say how it does."""
        wanted = {
            (each["metadata"]["namespace"], each["metadata"]["name"]): each
            for each in self._store.all(DEPLOYMENT)
        }
        for at in list(self._runs):
            if at not in wanted:
                self._stop(at)
        for at, deployment in wanted.items():
            self._deployment(at, deployment)

    def ready(self, namespace: str, labels: Mapping[str, str]) -> tuple[str, str] | None:
        """A Deployment whose pods have these labels and are ready, and the uid of one; None for none."""
        for pod in self._store.all(POD, namespace):
            owner: str = pod["metadata"]["ownerReferences"][0]["name"]
            run = self._runs.get((namespace, owner))
            if (
                labels
                and labels.items() <= pod["metadata"]["labels"].items()
                and run
                and run.state == "ready"
            ):
                return owner, pod["metadata"]["uid"]
        return None

    def close(self) -> None:
        """End all that runs."""
        for at in list(self._runs):
            self._hosting().stop("gke", *at)

    def log(self, key: Key) -> list[tuple[str, str]]:
        """What a pod wrote; of a Deployment's pods the first has it all."""
        pods = self._store.all(POD, key.namespace)
        owner = next(_owner(each) for each in pods if each["metadata"]["name"] == key.name)
        if key.name != min(each["metadata"]["name"] for each in pods if _owner(each) == owner):
            return []
        run = self._runs[key.namespace, owner]
        lines = [
            line
            for kind, service, version, line in self._hosting().written()
            if (kind, service, version) == ("gke", key.namespace, owner)
        ]
        # When a line was written is not known: it has the time at which it was seen first.
        run.log += [(now(), line) for line in lines[len(run.log) :]]
        return run.log

    def _deployment(self, at: tuple[str, str], deployment: Object) -> None:
        spec = deployment["spec"]
        template = hashlib.sha256(text(spec["template"]).encode()).hexdigest()[:10]
        run = self._runs.get(at)
        if run is not None and run.state == "stopping":
            return  # its end wakes this again
        if spec["replicas"] == 0:
            if run is not None:
                self._stop(at)
            self._say(deployment, template, 0, None)
            return
        if run is None or run.template != template:
            run = self._runs[at] = _Run(template)
        pods = self._pods(at, deployment, template)
        if run.state in _WAITING and self._clock.after((*at, template), self.seconds):
            self._begin(at, deployment, run)
        while run.state == "failed" and run.restarts < _RESTARTS:
            if not self._clock.after((*at, template, run.restarts), self.restart_s):
                break
            run.restarts += 1
        for name in pods:
            self._store.set_status(Key(POD, at[0], name), _pod_status(deployment, run))
        self._say(deployment, template, len(pods), run)

    def _begin(self, at: tuple[str, str], deployment: Object, run: _Run) -> None:
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        sleeps = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        run.pre_stop_s = min(sleeps, sleeps if self.pre_stop_s is None else self.pre_stop_s)
        files = self._image(container["image"])
        if files is None:  # it is tried again whenever something changes
            run.state, run.why = "unpulled", f'Back-off pulling image "{container["image"]}"'
            return
        if absent := [each["name"] for each in _secrets(container)]:  # the cluster has none
            run.state, run.why = "unset", f'secret "{absent[0]}" not found'
            return
        run.state = "starting"
        if self.stuck:
            return
        upload = Upload("gke", *at, files, _environment(container.get("env", [])), None, deployment)

        def start() -> None:
            try:
                self._hosting().serve(upload)
                run.state = "ready"
            except ApiError as error:
                run.state, run.why = "failed", error.message
                run.log = [(now(), line) for line in error.message.splitlines()]
            except Exception as error:
                run.state, run.why = "failed", str(error)
                if not self._clock.closed:
                    self._fail(f"{at[1]}: {type(error).__name__}: {error}")
            self._clock.wake()

        threading.Thread(target=start, daemon=True).start()

    def _stop(self, at: tuple[str, str]) -> None:
        run = self._runs[at]
        if run.state == "stopping":
            return
        run.state = "stopping"

        def stop() -> None:
            with self._store.changed:
                self._store.changed.wait_for(lambda: self._clock.closed, run.pre_stop_s)
            try:
                self._hosting().stop("gke", *at)
            except Exception as error:
                if not self._clock.closed:
                    self._fail(f"{at[1]}: {type(error).__name__}: {error}")
            for pod in self._store.all(POD, at[0]):
                if _owner(pod) == at[1]:
                    self._store.delete(Key(POD, at[0], pod["metadata"]["name"]))
            self._runs.pop(at, None)
            self._clock.wake()

        threading.Thread(target=stop, daemon=True).start()

    def _pods(self, at: tuple[str, str], deployment: Object, template: str) -> list[str]:
        """The names of its pods, as many as are wanted, each of the newest template."""
        mine = [each for each in self._store.all(POD, at[0]) if _owner(each) == at[1]]
        kept = [
            each["metadata"]["name"]
            for each in mine
            if each["metadata"]["labels"]["pod-template-hash"] == template
        ][: deployment["spec"]["replicas"]]
        for each in mine:
            if each["metadata"]["name"] not in kept:
                self._store.delete(Key(POD, at[0], each["metadata"]["name"]))
        while len(kept) < deployment["spec"]["replicas"]:
            name = f"{at[1]}-{template}-{secrets.token_hex(3)[:5]}"
            labels = {**deployment["spec"]["template"]["metadata"]["labels"], "pod-template-hash": template}
            owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": at[1]}
            meta = {"name": name, "labels": labels, "ownerReferences": [owner]}
            pod = {
                "metadata": meta,
                "spec": deployment["spec"]["template"]["spec"],
                "status": {"phase": "Pending"},
            }
            try:
                self._store.put(Key(POD, at[0], name), pod)
            except ApiError:  # its namespace is being deleted
                break
            kept.append(name)
        return kept

    def _say(self, deployment: Object, template: str, count: int, run: _Run | None) -> None:
        meta, spec = deployment["metadata"], deployment["spec"]
        ready = run is not None and run.state == "ready"
        replica_set = f'ReplicaSet "{meta["name"]}-{template}"'
        deadline_s = spec["progressDeadlineSeconds"] if self.progress_s is None else self.progress_s
        if ready or run is None:
            progressing = Condition(
                "Progressing", True, "NewReplicaSetAvailable", f"{replica_set} has successfully progressed."
            )
        elif self._clock.after((meta["uid"], meta["generation"], "progress"), deadline_s):
            progressing = Condition(
                "Progressing", False, "ProgressDeadlineExceeded", f"{replica_set} has timed out progressing."
            )
        else:
            progressing = Condition(
                "Progressing", True, "ReplicaSetUpdated", f"{replica_set} is progressing."
            )
        available = (
            Condition("Available", True, "MinimumReplicasAvailable", "Deployment has minimum availability.")
            if ready or run is None
            else Condition(
                "Available",
                False,
                "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability.",
            )
        )
        before = deployment.get("status", {}).get("conditions", [])
        counts = {"replicas": count, "updatedReplicas": count}
        counts |= (
            {"readyReplicas": count, "availableReplicas": count} if ready else {"unavailableReplicas": count}
        )
        status = {
            "observedGeneration": meta["generation"],
            **{name: number for name, number in counts.items() if number},
            "conditions": shown((progressing, available), before),
        }
        self._store.set_status(Key(DEPLOYMENT, meta["namespace"], meta["name"]), status)


def _environment(variables: list[Object]) -> dict[str, str]:
    """Their values: $$ is a $, and $(NAME) stands for a variable before it (API reference, EnvVar)."""
    env: dict[str, str] = {}

    def meant(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else env.get(found[1], found[0])

    for each in variables:
        env[each["name"]] = re.sub(r"\$\$|\$\(([\w.-]+)\)", meant, each.get("value", ""))
    return env


def _secrets(container: Object) -> list[dict[str, str]]:
    """The Secrets that its variables come from, by name and key."""
    variables = container.get("env", [])
    return [each["valueFrom"]["secretKeyRef"] for each in variables if "valueFrom" in each]


def _owner(pod: Object) -> str:
    name: str = pod["metadata"]["ownerReferences"][0]["name"]
    return name


def _pod_status(deployment: Object, run: _Run) -> dict[str, Any]:
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    ready = run.state == "ready"
    waiting = {
        "new": {"reason": "ContainerCreating"},
        "unpulled": {"reason": "ImagePullBackOff", "message": run.why},
        "unset": {"reason": "CreateContainerConfigError", "message": run.why},
        "failed": {
            "reason": "CrashLoopBackOff",
            "message": f"back-off 10s restarting failed container={container['name']}",
        },
    }.get(run.state)
    ended = {"terminated": {"exitCode": 1, "reason": "Error"}}
    status = {
        "name": container["name"],
        "image": container["image"],
        "ready": ready,
        "restartCount": run.restarts,
        "state": {"waiting": waiting} if waiting else {"running": {}},
        **({"lastState": ended} if run.state == "failed" else {}),
    }
    condition = {
        "type": "Ready",
        "status": "True" if ready else "False",
        **({} if ready else {"reason": "ContainersNotReady"}),
    }
    pending = run.state in _WAITING
    return {
        "phase": "Pending" if pending else "Running",
        "conditions": [condition],
        "containerStatuses": [status],
    }
