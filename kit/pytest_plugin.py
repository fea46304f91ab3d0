"""A pytest plugin: the fixture `streamproof`, whose `assert_streams` fails where an answer does not stream.

pytest loads this module at the start of every run, wanted or not: all that is heavy waits for its first use.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from kit.proof.lane import Lane


@pytest.fixture(scope="session")
def streamproof() -> Streamproof:
    """Asserts that answers arrive as they are written: `streamproof.assert_streams(app, "/chat")`."""
    return Streamproof()


class Streamproof:
    """What a test asks of streams."""

    def assert_streams(
        self,
        url_or_app: str | ASGIApp,
        path: str = "/",
        *,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        data: str | bytes | None = None,
        arm: Literal["on", "off", "as-is"] = "as-is",
        event_bytes: int | None = None,
        timeout_s: float = 60.0,
        retries: int = 0,
        may_be_inconclusive: bool = False,
        proof_token: str | None = None,
    ) -> Lane:
        """Fail the test unless the answer arrives as it is written; else what was measured.

        Warns where the app keeps its event loop to itself while it answers.

        Args:
            url_or_app: a URL, measured as `kit probe` does; or an ASGI app, or its name ("mine.main:app",
                "mine.main:create_app()"), which is run under uvicorn on a free port of 127.0.0.1, its
                lifespan included, the proof around it for as long as that takes.
            path: what to ask of the app; added to a URL unless it is "/". A query may follow.
            method: GET, or POST where there is a body, unless given.
            headers: more request headers.
            json: the body, as JSON.
            data: the body as it is; not beside `json`.
            arm: whether the answer bears `X-Accel-Buffering: no`; as-is: what can be seen of it.
            event_bytes: judge events up to this size; the answer's largest, at least 1,000, unless given.
            timeout_s: seconds for the whole answer, and for the first sign of life.
            retries: measure again so often at most while nothing is decided.
            may_be_inconclusive: let the test pass where the evidence does not decide.
            proof_token: for a URL whose proof asks for its token; $STREAMPROOF_PROOF_TOKEN unless given.
        """
        __tracebackhide__ = True
        from kit.app import names_an_app
        from kit.errors import KitError
        from kit.flows.asserting import Request, beside, failure, measure_app, measure_url

        if json is not None and data is not None:
            raise TypeError("give json or data, not both")
        request = Request(
            path,
            method=method,
            headers=tuple((headers or {}).items()),
            json=json,
            data=data,
            arm=arm,
            event_bytes=event_bytes,
            timeout_s=timeout_s,
            retries=retries,
            proof_token=proof_token,
        )
        in_process = not isinstance(url_or_app, str) or names_an_app(url_or_app)
        lane: Lane | None = None
        try:
            lane = measure_app(url_or_app, request) if in_process else measure_url(str(url_or_app), request)
        except KitError as error:
            said: str | None = f"{error.message}\n{error.hint}"
        else:
            said = failure(lane, in_process=in_process, may_be_inconclusive=may_be_inconclusive)
        # Outside of `except`, or pytest would show the error's own way through the kit as well.
        if lane is None or said is not None:
            pytest.fail(said or "")
        if (blocks := beside(lane)) is not None:
            warnings.warn(blocks, stacklevel=2)
        return lane
