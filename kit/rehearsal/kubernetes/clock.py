"""When a cluster's controllers look again: after each change, and when something is due."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable

from kit.rehearsal.kubernetes.store import Store


class Clock:
    """Runs the controllers in a thread of its own, from `start` to `close`.

    Attributes:
        closed: whether it is over.
    """

    def __init__(self, store: Store, fail: Callable[[str], None]) -> None:
        self.closed = False
        self._store = store
        self._fail = fail
        self._began: dict[Hashable, float] = {}
        self._due: list[float] = []
        self._woken = True
        self._thread: threading.Thread | None = None

    def start(self, reconcile: Callable[[], None]) -> None:
        """Call `reconcile` whenever it may have something to do."""

        def run() -> None:
            seen = -1
            while True:
                with self._store.changed:
                    while not self.closed and not self._woken and self._store.version == seen:
                        left_s = min(self._due, default=float("inf")) - time.monotonic()
                        if left_s <= 0:
                            break
                        self._store.changed.wait(min(left_s, 3600))
                    if self.closed:
                        return
                    self._woken, seen, self._due = False, self._store.version, []
                try:
                    reconcile()
                except Exception as error:
                    self._fail(f"a controller: {type(error).__name__}: {error}")

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def after(self, what: Hashable, seconds: float) -> bool:
        """Whether so long has passed since this was asked first; if not, the controllers look again then."""
        due = self._began.setdefault(what, time.monotonic()) + seconds
        if time.monotonic() >= due:
            return True
        self._due.append(due)
        return False

    def again(self, seconds: float) -> None:
        """Let the controllers look again after so long, whatever happens until then."""
        self._due.append(time.monotonic() + seconds)

    def wake(self) -> None:
        """Let the controllers look again."""
        with self._store.changed:
            self._woken = True
            self._store.changed.notify_all()

    def close(self) -> None:
        """End it, unless it is its own thread that asks."""
        with self._store.changed:
            self.closed = True
            self._store.changed.notify_all()
        if self._thread is not None:
            self._thread.join()
