"""Process tuning for thousands of streams: garbage collection, file limits."""

from __future__ import annotations

import gc
import logging
import resource

log = logging.getLogger("streamproof")

# A collection of all that there is stops every stream for a tenth of a second when there are a thousand, and
# who asks meanwhile begins late: with Python's own thresholds the 99th percentile of lateness was 121 to 201
# ms, with these 18 (bench/load.py). The service leaves no cycles behind, so that memory grows by nothing.
GC_THRESHOLDS = (50_000, 20, 50)

# Connections beside those that stream: side requests, health checks, the store, the model, the log.
SPARE_DESCRIPTORS = 256
MOST_DESCRIPTORS = 65_536


def settle(max_streams: int) -> None:
    """To be called once, after all is imported.

    Args:
        max_streams: as in the settings; a warning is logged where the system allows too few connections.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    allowed = _raise_limit()
    if allowed is not None and allowed < max_streams + SPARE_DESCRIPTORS:
        # Else connections would be accepted and reset at once, without a word.
        log.warning(
            "the system allows this process %d open files: too few for STREAMPROOF_MAX_STREAMS=%d; raise the "
            "limit (ulimit -n) to %d",
            allowed,
            max_streams,
            max_streams + SPARE_DESCRIPTORS,
        )


def _raise_limit() -> int | None:
    """Raises the limit of open files; returns it, or None where there is none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return None if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # macOS may refuse what it says it allows
        return soft
    return most
