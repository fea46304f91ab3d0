"""Turns an unhandled exception into a problem+json response."""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import problems
from service.logs import place_of

#: In a request's scope: the `send` around this middleware and all that is inside of it. What a response sends
#: between its head and its end may go this way: those layers look at the head alone, and to be passed on by
#: each of them would cost an event as much as to be framed.
SEND = "streamproof.send"


class ErrorHandler:
    """ASGI middleware: answers an unhandled exception with a Problem, before the server does.

    Outer middleware can then add its headers, and no log gets the exception's message.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False
        scope[SEND] = send

        async def sent(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, sent)
        except Exception as failure:
            if scope["type"] != "http":
                raise
            logging.getLogger("streamproof").error("the service failed with %s", place_of(failure))
            if not begun:  # else the server ends the connection, because the response lacks its end
                await problems.internal().response()(scope, receive, send)
