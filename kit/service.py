"""Files of the service that the kit uses itself: they travel as data, and are no modules of its package."""

from __future__ import annotations

import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from kit.targets import assets


@cache
def service_module(name: str) -> ModuleType:
    """A file of service/ that imports nothing else from there, loaded ("proof", "webpage")."""
    spec = spec_from_file_location(f"kit._service_{name}", assets() / "service" / f"{name}.py")
    assert spec is not None  # noqa: S101 (a path that ends in .py)
    assert spec.loader is not None  # noqa: S101
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module
