"""The `app` that entrypoints name: `gunicorn -c gunicorn.conf.py service.main:app`."""

from __future__ import annotations

import logging
import sys

from service.app import create_app
from service.settings import SettingsError

_log = logging.getLogger("streamproof")
_log.setLevel(logging.INFO)
_handler = logging.StreamHandler()
_handler.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
_log.addHandler(_handler)
_log.propagate = False

try:
    app = create_app()
except SettingsError as bad:
    print(f"streamproof cannot start: {bad}", file=sys.stderr)
    # gunicorn takes 3 for "does not boot" and halts; at another status it would start worker after worker.
    sys.exit(3)
