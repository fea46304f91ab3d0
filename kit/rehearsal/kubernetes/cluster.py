"""One cluster: its API, its objects, and the controllers that bring about what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kit.rehearsal.compute import Compute
from kit.rehearsal.faults import Faults
from kit.rehearsal.kubernetes.api import Api
from kit.rehearsal.kubernetes.clock import Clock
from kit.rehearsal.kubernetes.gateways import Gateways
from kit.rehearsal.kubernetes.kinds import NAMESPACE, POD
from kit.rehearsal.kubernetes.pods import Pods
from kit.rehearsal.kubernetes.server import Server
from kit.rehearsal.kubernetes.store import Key, Store
from kit.rehearsal.uploads import Hosting
from kit.rehearsal.wire import Request


class Cluster:
    """A cluster that runs from its making to `close`.

    Attributes:
        store: its objects. api: what answers for them. server: where.
        pods, gateways: its controllers, to see how long they take and what goes wrong.
    """

    def __init__(
        self,
        *,
        admits: Callable[[str], bool],
        faults: Faults,
        record: Callable[[str, Request, Any], None],
        fail: Callable[[str], None],
        compute: Compute,
        hosting: Callable[[], Hosting],
        image: Callable[[str], Mapping[str, bytes] | None],
        host: str,
    ) -> None:
        """Arguments as of `Api`, `Pods` and `Gateways`; `host`: the address that its Gateway gets."""
        self.store = Store()
        self._clock = Clock(self.store, fail)
        self.pods = Pods(self.store, self._clock, hosting, image, fail)
        self.gateways = Gateways(self.store, self._clock, self.pods, compute, hosting, host)
        self.api = Api(self.store, admits=admits, log=self.pods.log, faults=faults, record=record, fail=fail)
        self._clock.start(self._reconcile)
        self.server = Server(self.api.answer)

    def close(self) -> None:
        """End it with all that runs in it. What its Gateways have at Google stays there."""
        self.api.close()
        self._clock.close()
        self.gateways.close()
        self.pods.close()
        self.server.close()

    def _reconcile(self) -> None:
        self.pods.reconcile()
        self.gateways.reconcile()
        for space in self.store.all(NAMESPACE):
            if "deletionTimestamp" in space["metadata"]:
                self._empty(space["metadata"]["name"])

    def _empty(self, namespace: str) -> None:
        """Delete what is in a namespace; and once there is nothing, the namespace."""
        for key in self.store.keys(namespace):
            there = self.store.find(key)
            if there is not None and key.kind is not POD and "deletionTimestamp" not in there["metadata"]:
                self.store.delete(key)
        if not self.store.keys(namespace):
            self.store.finalize(Key(NAMESPACE, "", namespace))
