"""How every bundle starts, on every platform: `gunicorn -c gunicorn.conf.py service.main:app`.

Read from the environment, because the JSON form of a Dockerfile's CMD expands no variables.
"""

import math
import os

bind = f"{os.environ.get('STREAMPROOF_BIND') or '0.0.0.0'}:{os.environ.get('PORT') or '8080'}"  # noqa: S104
worker_class = "uvicorn_worker.UvicornWorker"
workers = int(os.environ.get("STREAMPROOF_WORKERS") or "1")

# The service ends its own streams when its grace is over; what is still open a second later is killed without
# a word. gunicorn takes whole seconds only.
graceful_timeout = math.ceil(float(os.environ.get("STREAMPROOF_SHUTDOWN_GRACE_S") or "8")) + 1

# No watchdog: where the CPU is throttled between requests, a worker that only slept would be killed.
timeout = 0

# Longer than a Google front end keeps an idle connection (600 s): else it reuses one that is just being
# closed, and its client gets a 502.
keepalive = 620

# A prompt may stand in a query, and belongs in no log.
accesslog = None

# The socket's path is one for all instances under a HOME.
control_socket_disable = True
