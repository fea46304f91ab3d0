"""Where a test stands: each file of tests/kit and tests/service mirrors a module, `test_MODULE[_WHAT].py`."""

from __future__ import annotations

from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
# Of no module alone: what they hold against each other, or against something real, is in their names.
EXCEPTIONS = {
    "kit/cli/test_polling.py",
    "kit/workshop/test_trouble.py",
    "service/test_answer_clients.py",
}


def modules(folder: Path) -> set[str]:
    """The names of what the folder's code defines, packages included."""
    found = {path.stem for path in folder.glob("*.py")}
    return found | {path.name for path in folder.iterdir() if path.is_dir()} | {folder.name}


def mirrors(test: Path) -> bool:
    """Whether there is a module beside which it would stand."""
    folder = (CHECKOUT / test.relative_to(CHECKOUT / "tests")).parent
    name = test.stem.removeprefix("test_")
    return folder.is_dir() and any(name == one or name.startswith(f"{one}_") for one in modules(folder))


def test_each_file_of_tests_mirrors_a_module() -> None:
    tests = CHECKOUT / "tests"
    files = [path for part in ("kit", "service") for path in (tests / part).rglob("test_*.py")]
    strays = {str(path.relative_to(tests)) for path in files if not mirrors(path)}
    assert strays == EXCEPTIONS
