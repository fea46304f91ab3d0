"""A bundle of the kit's own service that asks something of Google's: what it takes to run it here."""

from __future__ import annotations

from importlib.util import find_spec

from kit.bundle import Start
from kit.errors import Code, KitError

# What makes a bundle ask, and the package that it asks with.
_CLIENTS = {
    ("STREAMPROOF_GENERATOR", "vertex"): ("google.cloud.aiplatform_v1", "google-cloud-aiplatform>=2.7"),
    ("STREAMPROOF_STORE", "firestore"): ("google.cloud.firestore_v1", "google-cloud-firestore>=2.34"),
}


def asks_google(start: Start) -> bool:
    """Whether a bundle that is started so asks for a model, or keeps answers there."""
    return any(start.env.get(name) == value for name, value in _CLIENTS)


def clients_installed(start: Start) -> None:
    """Returns if Google's clients that the bundle needs are in the kit's own environment.

    Raises:
        KitError: INSTALL_FAILED, with both ways to have them.
    """
    for (name, value), (module, requirement) in _CLIENTS.items():
        if start.env.get(name) == value and not _found(module):
            what, package = name.rpartition("_")[2].lower(), requirement.partition(">")[0]
            raise KitError(
                Code.INSTALL_FAILED,
                f"The {what} is {value}, and {package} is not installed beside the kit.",
                "Let the lab install what each bundle needs (--isolated), or install it here: "
                f"pip install '{requirement}'",
            )


def _found(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even its parent
        return False
