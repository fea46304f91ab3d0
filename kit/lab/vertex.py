"""A bundle of the kit's own service that asks a model on Vertex AI: what it takes to run it here."""

from __future__ import annotations

from importlib.util import find_spec

from kit.errors import Code, KitError
from kit.lab.bundles import Start


def asks_vertex(start: Start) -> bool:
    """Whether a bundle that is started so asks a model."""
    return start.env.get("STREAMPROOF_GENERATOR") == "vertex"


def vertex_installed() -> None:
    """Returns if Google's client is in the kit's own environment.

    Raises:
        KitError: INSTALL_FAILED, with both ways to have it.
    """
    try:
        found = find_spec("google.cloud.aiplatform_v1") is not None
    except ModuleNotFoundError:  # not even its parent
        found = False
    if not found:
        raise KitError(
            Code.INSTALL_FAILED,
            "The generator is vertex, and google-cloud-aiplatform is not installed beside the kit.",
            "Let the lab install what each bundle needs (--isolated), or install it here: "
            "pip install 'google-cloud-aiplatform>=2.7'",
        )
