"""What every test may rely on: a clean environment, the tools from outside, real proxies, a real origin."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator

import hypothesis
import pytest

# A shell that started us in the background left Ctrl-C ignored, for us and for all that we start: the tests
# that interrupt a command would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The workers, and all the processes that the tests start, load the same modules: with this each of them would
# compile them anew, which took a minute of the suite's time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

pytest_plugins = [
    "tests.fixtures.phases",
    "tests.fixtures.loop",
    "tests.fixtures.tools",
    "tests.fixtures.certificates",
    "tests.fixtures.proxies",
    "tests.fixtures.network",
    "tests.fixtures.origin",
    "tests.fixtures.gunicorn",
    "tests.fixtures.limited",
    "tests.fixtures.together",
    "tests.fixtures.browser",
    "tests.fixtures.rehearsal",
    "tests.fixtures.firestore",
]


# Two busy cores make any deadline a matter of luck; what is slow is measured in bench/.
_PATIENT = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
hypothesis.settings.register_profile("dev", **_PATIENT)  # type: ignore[arg-type]
# The same examples each time: a CI that fails tells of the change, not of the dice.
hypothesis.settings.register_profile("ci", derandomize=True, print_blob=True, **_PATIENT)  # type: ignore[arg-type]
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What collecting makes stays until the end: no use to look through it for garbage, then or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: no other worker takes them apart."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


# What tells the kit, the service, or a library under them what to do, apart from what tells the tests.
_SWAYING = ("KIT_", "STREAMPROOF_", "GOOGLE_", "CLOUDSDK_", "GAE_", "K_", "GUNICORN_", "UVICORN_", "GITHUB_")
_SWAYING_EXACTLY = (
    "PORT",
    "WEB_CONCURRENCY",
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR_FORCE",
    "PYTHONPATH",
    # What `make test ARGS=…` hands to every make below it.
    "ARGS",
    "MAKEFLAGS",
    "MAKELEVEL",
    "MAKEOVERRIDES",
    "MFLAGS",
)
_FOR_THE_TESTS = ("STREAMPROOF_REQUIRE", "STREAMPROOF_APPINFO_PYTHON", "STREAMPROOF_SEED")


@pytest.fixture(autouse=True, scope="session")
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing that the machine's user has set sways a test, and no test meets that user's gcloud account."""
    for name in list(os.environ):
        if (name.startswith(_SWAYING) or name in _SWAYING_EXACTLY) and name not in _FOR_THE_TESTS:
            del os.environ[name]
    os.environ["LC_ALL"] = "C.UTF-8"  # or what the kit prints is in the user's language
    os.environ["CLOUDSDK_CONFIG"] = str(tmp_path_factory.mktemp("gcloud"))
    # The tests' servers are on this machine, whatever proxy leads out of it.
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
