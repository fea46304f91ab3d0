"""`make soak`: demos, probes, the doctor's matrix and the contract's clauses, on a machine as busy as asked.

Prints how often each was right, unsure, wrong and falsely certain, and each miss with the seed that repeats
it. Exits 0 where nothing was wrong and at least 98 of 100 were right.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from bench.busy import busy
from tests.system.matrix import Outcome
from tests.system.test_demo import SHOWN

MATRIX = "tests/system/test_doctor_matrix.py"
CLAUSES = (
    "tests/system/test_contract_clauses.py::test_each_clause_is_right_where_it_is_kept_and_where_it_is_broken"
)
TESTS = {
    "probe": f"{MATRIX}::test_the_probes_verdict_is_right",
    "matrix": f"{MATRIX}::test_the_cause_named_is_right_and_never_wrong_with_certainty",
    **{clause: f"{CLAUSES}[{clause}]" for clause in ("cancelled", "many", "kept-alive")},
}
KINDS = ("demo", *TESTS)
RIGHT = 0.98
ENDS_WITHIN_S = 60.0


class Came(NamedTuple):
    """How one demo, or one case of a seed, came out; `line` shows it."""

    outcome: Outcome
    line: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; the exit status."""
    parser = argparse.ArgumentParser(prog="make soak ARGS=…", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="|".join(KINDS), help="all unless given")
    parser.add_argument("--times", type=int, default=1, help="demos, and seeds of each of the others (1)")
    parser.add_argument("--minutes", type=float, help="instead: begin no more after so many")
    parser.add_argument("--busy", type=int, default=0, help="processes that spin beside it (0)")
    parser.add_argument("--seed", help="draw the cases of this seed, in place of a new one each time")
    given = parser.parse_args(arguments)
    kinds = given.kinds or KINDS
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"no such thing to run: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    counts: dict[str, Counter[Outcome]] = {kind: Counter() for kind in kinds}
    interrupted = False
    began = time.monotonic()
    try:
        with busy(given.busy):
            for number in range(1, 1 + (given.times if given.minutes is None else sys.maxsize)):
                for kind in kinds:
                    if given.minutes is not None and time.monotonic() - began > given.minutes * 60:
                        break
                    counts[kind].update(_run(kind, number, given.seed or secrets.token_hex(4)))
                else:
                    continue
                break
    except KeyboardInterrupt:
        interrupted = True
    for kind, count in counts.items():
        print(f"{kind:10} {count.total():5} times:", ", ".join(f"{count[each]} {each}" for each in Outcome))
    return 130 if interrupted else int(not all(map(_good, counts.values())))


def _good(count: Counter[Outcome]) -> bool:
    bad = count[Outcome.FALSE] + count[Outcome.WRONG]
    return not bad and count[Outcome.RIGHT] >= RIGHT * count.total()


def _run(kind: str, number: int, seed: str) -> Iterator[Outcome]:
    """One demo, or all cases of one seed; each that is not right is printed."""
    named = f"{kind} {number}" if kind == "demo" else f"{kind} --seed {seed}"
    print(f"… {named}", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        came = _demo(Path(folder)) if kind == "demo" else _cases(TESTS[kind], seed, Path(folder))
    for outcome, line in came:
        if outcome is not Outcome.RIGHT:
            print(f"{named}: {line}", flush=True)
        yield outcome


def _demo(folder: Path) -> list[Came]:
    out, err = _ended([sys.executable, "-m", "kit", "demo", "--json"], folder)
    try:
        lanes = json.loads(out)["data"]["lanes"]
    except (ValueError, KeyError):
        return [Came(Outcome.WRONG, f"it measured nothing: {out}{err}")]
    order = list(Outcome)
    return [min(map(_lane, lanes), key=lambda came: order.index(came.outcome))]


def _lane(lane: Mapping[str, Any]) -> Came:
    said = (lane["verdict"], lane["block_bytes"], lane["method"])
    if said == SHOWN[lane["target"], lane["header"]]:
        outcome = Outcome.RIGHT
    elif lane["error"] is not None or lane["verdict"] == "inconclusive":
        outcome = Outcome.UNSURE if lane["doubts"] and lane["error"] is None else Outcome.WRONG
    else:
        outcome = Outcome.FALSE
    line = f"{lane['target']} {lane['header']}: {said} {lane['doubts']} {lane['error'] or ''}"
    return Came(outcome, f"{outcome}  {line}")


def _cases(test: str, seed: str, folder: Path) -> list[Came]:
    """The cases as the test suite examines them: its fixtures start the proxies, and end them."""
    report = folder / "report.xml"
    argv = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "no:cacheprovider", "-m", "", "-q", test]
    argv += [f"--junitxml={report}", f"--basetemp={folder / 'tmp'}"]
    out, err = _ended(argv, Path.cwd(), {"STREAMPROOF_SEED": seed})
    found = ElementTree.parse(report).find(".//property[@name='answers']") if report.exists() else None
    if found is None:
        return [Came(Outcome.WRONG, f"it could not be run: {out}{err}")]
    return [Came(Outcome(outcome), line) for outcome, line in json.loads(found.attrib["value"])]


def _ended(argv: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> tuple[str, str]:
    """What it printed. Ctrl-C is for us, who then ask it to end: what it has started, it ends itself."""
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        return process.communicate()
    except BaseException:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=ENDS_WITHIN_S)
        raise
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
