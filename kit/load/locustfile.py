"""The locustfile of `kit load`: Locust's processes count their streams, and the first of them says how many.

Each half second it writes a line of JSON to what was its standard output: the sums so far, and whether they
are the last. All that Locust itself prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

import gevent
from locust import events
from locust.env import Environment
from locust.runners import STATE_MISSING, MasterRunner, Runner, WorkerRunner

from kit.load.plan import VARIABLE, Plan, Schedule
from kit.load.tally import Tally
from kit.load.users import Load, StreamUser

_EVERY_S = 0.5
_LAST_WITHIN_S = 15.0
_MESSAGE, _LEAVE, _SCHEDULE = "streamproof_tally", "streamproof_leave", "streamproof"

_out = os.dup(1)
os.dup2(2, 1)
_load = StreamUser.load = Load(Plan.of(os.environ[VARIABLE]))


class _Counted:
    """The sums of all processes.

    Args:
        runner: this process's.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.whole = Tally()
        self.last_of: set[str] = set()

    def add(self, tally: Tally) -> None:
        """Some more was seen."""
        self.whole.merge(tally)

    def write(self, *, last: bool = False) -> None:
        """One line. A kit that is gone reads none, and ends this process."""
        if not isinstance(self.runner, MasterRunner):
            self.add(_load.take())
        workers = self.runner.worker_count if isinstance(self.runner, MasterRunner) else 1
        line = {"at_ms": time.time() * 1000, "workers": workers, "last": last, "tally": self.whole.data}
        with os.fdopen(os.dup(_out), "w") as out:
            out.write(json.dumps(line) + "\n")

    def each_half_second(self) -> None:
        while not self.last_of:
            self.write()
            gevent.sleep(_EVERY_S)


def _send(runner: WorkerRunner, *, last: bool = False) -> None:
    runner.send_message(_MESSAGE, {"tally": _load.take().data, "last": last})


def _send_each_half_second(runner: WorkerRunner) -> None:
    while True:
        _send(runner)
        gevent.sleep(_EVERY_S)


@events.init.add_listener
def _ready(environment: Environment, runner: Runner, **more: object) -> None:
    """The processes are there, and no user yet."""
    if isinstance(runner, WorkerRunner):
        _as_worker(environment, runner)
    else:
        _as_first(environment, runner)


def _as_worker(environment: Environment, runner: WorkerRunner) -> None:
    def begin(**more: object) -> None:
        if _load.begun.is_set():  # users that were lost with another worker have come here
            return
        said = getattr(environment.parsed_options, _SCHEDULE)
        schedule = Schedule(**said["schedule"])
        _load.begin(schedule, (runner.worker_index, said["workers"]))
        gevent.spawn(_send_each_half_second, runner)
        # By its own clock: a worker that began late has the whole time too.
        gevent.spawn_later(schedule.for_s, leave)

    def leave(**more: object) -> None:
        _load.leave()
        _send(runner, last=True)

    environment.events.spawning_complete.add_listener(begin)
    runner.register_message(_LEAVE, leave)


def _as_first(environment: Environment, runner: Runner) -> None:
    counted = _Counted(runner)

    schedule = _load.plan.schedule

    def say(**more: object) -> None:
        if isinstance(runner, MasterRunner):
            # Locust passes its own options on to its workers with each order to spawn.
            said = {"schedule": _fields(schedule), "workers": runner.worker_count}
            setattr(environment.parsed_options, _SCHEDULE, said)

    def begin(**more: object) -> None:
        if _load.begun.is_set():
            return
        _load.begin(schedule, (0, 1))
        gevent.spawn(counted.each_half_second)
        gevent.spawn_later(schedule.for_s, finish)

    def finish() -> None:
        wait_for_workers()
        runner.quit()

    def wait_for_workers() -> None:
        """Until those that are there have sent their last sums."""
        if isinstance(runner, MasterRunner):
            with gevent.Timeout(_LAST_WITHIN_S, False):
                while any(
                    client.state != STATE_MISSING and client.id not in counted.last_of
                    for client in runner.clients.all
                ):
                    gevent.sleep(0.01)

    def heard(msg: Any, **more: object) -> None:
        counted.add(Tally.of(msg.data["tally"]))
        if msg.data["last"]:
            counted.last_of.add(msg.node_id)

    def end(**more: object) -> None:
        """Before Locust ends its users: that takes its time, and what they have open would look cut."""
        if isinstance(runner, MasterRunner):
            runner.send_message(_LEAVE)
            wait_for_workers()
        else:
            _load.leave()
            counted.last_of.add("")
        counted.write(last=True)

    environment.events.test_start.add_listener(say)
    environment.events.spawning_complete.add_listener(begin)
    environment.events.test_stopping.add_listener(end)
    if isinstance(runner, MasterRunner):
        runner.register_message(_MESSAGE, heard)


def _fields(schedule: Schedule) -> dict[str, Any]:
    return {name: getattr(schedule, name) for name in Schedule.__slots__}
