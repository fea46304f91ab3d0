"""Work goes on by itself, is done no sooner than it may be, and ends with its plane."""

from __future__ import annotations

import threading
import time

from kit.rehearsal.wire import ApiError
from kit.rehearsal.work import Work

LONG_S = 3600.0
PATIENCE_S = 60.0


def test_work_without_a_time_is_done_at_once_with_what_was_prepared() -> None:
    work = Work(0, threading.Event(), lambda prepared: prepared + 1, lambda: 41)
    assert work.done
    assert (work.result, work.error) == (42, None)


def test_work_takes_its_time_even_if_all_is_prepared() -> None:
    began = time.monotonic()
    work = Work(0.2, threading.Event(), lambda prepared: time.monotonic())
    assert work.wait(PATIENCE_S)
    assert work.result - began >= 0.2


def test_work_that_fails_keeps_googles_error() -> None:
    def fail() -> None:
        raise ApiError("NOT_FOUND", "Nothing there.")

    work = Work(0, threading.Event(), lambda prepared: prepared, fail)
    assert work.done
    assert work.error is not None
    assert work.error.rpc == {"code": 5, "message": "Nothing there."}


def test_a_mistake_of_ours_is_the_works_error_too() -> None:
    work = Work(0, threading.Event(), lambda prepared: {}["missing"])  # type: ignore[index]
    assert work.error is not None
    assert "KeyError" in work.error.message


def test_work_ends_unfinished_when_its_plane_closes() -> None:
    closing, prepared = threading.Event(), threading.Event()
    finished: list[object] = []
    before = threading.active_count()
    work = Work(LONG_S, closing, finished.append, prepared.set)
    assert prepared.wait(PATIENCE_S)
    assert not work.done
    closing.set()
    give_up = time.monotonic() + PATIENCE_S
    while threading.active_count() > before:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    assert not work.done
    assert finished == []
