"""The app that gunicorn starts in place of the user's own: theirs, with the proof below /proof.

All else that is asked reaches the app as it was asked. `kit render` puts the app's name in.
"""

import inspect
import sys

from gunicorn.util import import_app

try:
    from streamproof_proof import wrap
except ModuleNotFoundError as missing:
    # `proof = false` in kit.toml leaves it out: the app is served as it is.
    if missing.name != "streamproof_proof":
        raise

    def wrap(app):
        return app


NAME = "mine.main:app"


def is_wsgi(app):
    """Whether it is called as PEP 3333 has it: with a second argument by that name, which ASGI has not."""
    try:
        return "start_response" in inspect.signature(app).parameters
    except (TypeError, ValueError):
        return False


app = import_app(NAME)
if is_wsgi(app):
    print(f"{NAME} is a WSGI app, and the kit runs ASGI apps only.", file=sys.stderr)
    sys.exit(3)  # how a worker tells gunicorn to give up
app = wrap(app)
