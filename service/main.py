"""The `app` that entrypoints name: `gunicorn -c gunicorn.conf.py service.main:app`."""

from __future__ import annotations

import logging
import os
import sys

from service import hosting, logs, settings, tuning
from service.app import create_app
from service.settings import SettingsError

_where = hosting.detect(os.environ)
# Cloud Logging reads JSON; in the lab, where the platforms' variables are set too, and elsewhere people read.
_lab = os.environ.get("STREAMPROOF_LAB") == "1"
logs.configure(as_json=_where.target != "local" and not _lab, project=_where.project)

try:
    _settings = settings.load()
    app = create_app(_settings)
except SettingsError as bad:
    logging.getLogger("streamproof").critical("cannot start: %s", bad)
    # gunicorn takes 3 for "does not boot" and halts; at another status it would start worker after worker.
    sys.exit(3)

tuning.settle(_settings.max_streams)
