"""A test that judges real time runs after all others have ended, and beside no other of its file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]
# Each says when it begins and ends. The others take their time: who does not wait for them is seen.
TESTS = """
import os, time
from pathlib import Path
import pytest

def said(word):
    with Path("said").open("a") as file:
        file.write(word + "\\n")

@pytest.fixture(autouse=True)
def _said(request):
    said("begin " + request.node.name)
    yield
    said("end " + request.node.name)

@pytest.mark.alone
@pytest.mark.parametrize("place", range(3))
def test_alone(place):
    assert os.environ.get("PYTEST_XDIST_WORKER") != "dead"

@pytest.mark.parametrize("place", range(8))
def test_other(place):
    time.sleep(0.05)
    if place == 4:
        crash()

def crash():
    pass
"""


def run(folder: Path, *arguments: str, tests: str = TESTS, testpaths: str = "") -> tuple[list[str], str]:
    """Run these tests with the phases' plugin alone: what they said, and what pytest printed."""
    (folder / "test_some.py").write_text(tests)
    markers = "\n".join(f"  {name}" for name in ("alone", "heavy", "long"))
    (folder / "pytest.ini").write_text(f"[pytest]\nmarkers =\n{markers}\ntestpaths = {testpaths}\n")
    argv = [sys.executable, "-m", "pytest", "-p", "xdist", "-p", "tests.fixtures.phases"]
    done = subprocess.run(
        [*argv, "-p", "no:cacheprovider", "--rootdir", str(folder), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return (folder / "said").read_text().splitlines(), done.stdout + done.stderr


def begin_and_end_in_turn(words: list[str]) -> bool:
    return [word.replace("end", "begin") for word in words[1::2]] == words[::2]


@pytest.mark.parametrize("workers", ["1", "3"])
def test_it_begins_after_all_others_have_ended(tmp_path: Path, workers: str) -> None:
    said, errors = run(tmp_path, "--numprocesses", workers, "--dist", "worksteal")
    assert "11 passed" in errors.splitlines()[-1], errors
    assert all("other" in word for word in said[:16]), said
    assert all("alone" in word for word in said[16:]), said
    assert begin_and_end_in_turn(said[16:])


def test_two_files_of_them_may_run_side_by_side_and_neither_beside_one_of_another_kind(
    tmp_path: Path,
) -> None:
    (tmp_path / "test_more.py").write_text(TESTS.replace("request.node.name", "request.node.nodeid"))
    said, errors = run(tmp_path, "--numprocesses", "4", "--dist", "worksteal")
    assert "22 passed" in errors.splitlines()[-1], errors
    assert all("other" in word for word in said[:32]), said
    for mine in (True, False):
        assert begin_and_end_in_turn([word for word in said[32:] if ("test_more" in word) is mine]), said


# A heavy one ends once another has: so it must have run beside one.
KINDS = """
import time
from pathlib import Path
import pytest

pytestmark = [pytest.mark.alone, *([pytest.mark.heavy] if "{kind}" == "heavy" else [])]

def said(word):
    with Path("said").open("a") as file:
        file.write(word + "\\n")

def test():
    said("begin {kind}")
    give_up = time.monotonic() + 60
    while "{kind}" == "heavy" and "end other" not in Path("said").read_text():
        assert time.monotonic() < give_up
        time.sleep(0.01)
    said("end {kind}")
"""


def test_the_heavy_ones_run_one_after_the_other_and_the_others_fill_the_time(tmp_path: Path) -> None:
    for place in range(3):
        for kind in ("heavy", "other"):
            (tmp_path / f"test_{kind}_{place}.py").write_text(KINDS.format(kind=kind))
    said, errors = run(tmp_path, "--numprocesses", "4", "--dist", "worksteal")
    assert "17 passed" in errors.splitlines()[-1], errors
    words = [word for word in said if word.endswith("heavy")]
    assert len(words) == 6
    assert begin_and_end_in_turn(words)


def test_at_most_two_workers_a_core_run_them(tmp_path: Path) -> None:
    most = 2 * (os.cpu_count() or 1)
    for place in range(3 * most):
        (tmp_path / f"test_alone_{place}.py").write_text(
            "import pytest\n@pytest.mark.alone\ndef test_alone(worker_id):\n"
            "    open('said', 'a').write(f'worker {worker_id}\\n')\n"
        )
    said, errors = run(tmp_path, "--numprocesses", str(most + 1), "--dist", "worksteal", "-k", "test_alone_")
    assert f"{3 * most} passed" in errors.splitlines()[-1], errors
    assert len(set(said)) <= most


def test_only_every_second_worker_begins_with_long_ones(tmp_path: Path) -> None:
    for place in range(4):
        (tmp_path / f"test_long_{place}.py").write_text(
            "import pytest\n@pytest.mark.long\ndef test_long(worker_id):\n"
            "    open('said', 'a').write(f'long {worker_id}\\n')\n"
        )
    said, errors = run(tmp_path, "--numprocesses", "4", "--dist", "worksteal", "-m", "not alone")
    assert "12 passed" in errors.splitlines()[-1], errors
    assert len({word for word in said if "long" in word}) == 2


def test_each_worker_begins_to_collect_elsewhere_and_has_all_tests(tmp_path: Path) -> None:
    tests = TESTS + 'Path(os.environ["PYTEST_XDIST_WORKER"]).open("a").write(f"{Path(__file__).name} ")\n'
    (tmp_path / "test_more.py").write_text(tests)
    _, errors = run(tmp_path, "--numprocesses", "2", "--dist", "worksteal", tests=tests, testpaths=".")
    assert "22 passed" in errors.splitlines()[-1], errors
    collected = [(tmp_path / worker).read_text() for worker in ("gw0", "gw1")]
    assert collected == ["test_more.py test_some.py ", "test_some.py test_more.py "]


@pytest.mark.parametrize("kept", ["test_alone and 2", "test_other and 4"])
def test_either_phase_may_be_all_that_is_asked_for(tmp_path: Path, kept: str) -> None:
    _, errors = run(tmp_path, "--numprocesses", "2", "--dist", "worksteal", "-k", kept)
    assert "passed" in errors.splitlines()[-1], errors


def test_a_worker_that_dies_takes_no_test_that_runs_alone_with_it(tmp_path: Path) -> None:
    tests = TESTS.replace("    pass\n", "    os._exit(1)\n")
    said, errors = run(tmp_path, "--numprocesses", "2", "--dist", "worksteal", tests=tests)
    assert "1 failed, 10 passed" in errors.splitlines()[-1], errors
    assert all("alone" in word for word in said[-6:]), said


def test_without_workers_nothing_changes_and_no_name_tells_of_it(tmp_path: Path) -> None:
    _, errors = run(tmp_path, "-p", "no:xdist", "--verbose")
    assert "11 passed" in errors.splitlines()[-1], errors
    assert "(alone)" not in errors


def test_a_failure_is_told_by_the_name_that_runs_it_again(tmp_path: Path) -> None:
    tests = TESTS.replace('!= "dead"', '== "dead"')
    _, errors = run(tmp_path, "--numprocesses", "2", "--dist", "worksteal", tests=tests)
    assert "3 failed, 8 passed" in errors.splitlines()[-1], errors
    assert "FAILED test_some.py::test_alone[0] - " in errors
