"""Work that takes time at Google: an operation, a build. It goes on while clients ask whether it is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from kit.rehearsal.wire import ApiError


class Work:
    """Runs in a thread of its own, and is not done before its time.

    Args:
        seconds: how long it takes at least; with 0 the constructor returns once it is done.
        prepare: the slow part, begun at once.
        finish: what makes its outcome visible, called at the end with what `prepare` returned.
        closing: set when no call waits any more: work then ends without finishing.

    Attributes:
        error: why it failed, once it is done.
        result: what `finish` returned.
    """

    def __init__(
        self,
        seconds: float,
        closing: threading.Event,
        finish: Callable[[Any], Any],
        prepare: Callable[[], Any] = lambda: None,
    ) -> None:
        self.error: ApiError | None = None
        self.result: Any = None
        self._done = threading.Event()
        began = time.monotonic()

        def work() -> None:
            try:
                prepared = prepare()
                if closing.wait(max(0.0, began + seconds - time.monotonic())):
                    return
                self.result = finish(prepared)
            except ApiError as error:
                closing.wait(max(0.0, began + seconds - time.monotonic()))
                self.error = error
            except Exception as error:
                self.error = ApiError("INTERNAL", f"{type(error).__name__}: {error}")
            self._done.set()

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        if seconds == 0:
            thread.join()

    @property
    def done(self) -> bool:
        """Whether it is over, well or badly."""
        return self._done.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until it is done; whether it is."""
        return self._done.wait(timeout_s)
