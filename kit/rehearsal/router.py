"""Which handler answers a call, and the law: what the SDK does not know is refused."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from kit.rehearsal.faults import Faults
from kit.rehearsal.sdk import Api, Method, api_of
from kit.rehearsal.wire import ApiError, Request, Response

# A handler takes the request and the path's parameters by name; it returns JSON, or a Response.
Handler = Callable[..., Any]
Guard = Callable[[Request], None]


@dataclass(frozen=True)
class Call:
    """One call that arrived, in the order of arrival.

    Attributes:
        name: the SDK's method id; "METHOD host/path" where it has none.
        request: as it came.
        body: what came as JSON; None where nothing did.
    """

    name: str
    request: Request
    body: Any


@dataclass(frozen=True)
class _Route:
    method: str
    host: re.Pattern[str]
    path: re.Pattern[str]
    handler: Handler
    raw: bool


class Router:
    """Routes by host, method and path; checks both ways; records every call and every failure.

    Attributes:
        calls: all that arrived.
        unknown: what has no handler, or is not in the SDK's own messages: must be empty at the end.
        guards: called before each handler; one that raises ApiError refuses the call.
    """

    def __init__(self, faults: Faults) -> None:
        self.calls: list[Call] = []
        self.unknown: list[str] = []
        self.guards: list[Guard] = []
        self._faults = faults
        self._routes: list[_Route] = []
        self._lock = threading.Lock()

    def on(self, method: str, host: str, path: str, handler: Handler, *, raw: bool = False) -> None:
        """Answer `method https://host/path` with `handler`.

        In host and path `{name}` stands for one part (no "/" in it), `{name*}` for the rest; both reach the
        handler, decoded, as arguments of that name. `raw` is for calls whose body or answer is no message of
        the SDK's: those are not checked.
        """
        self._routes.append(_Route(method, _template(host), _template(path), handler, raw))

    def answer(self, request: Request) -> Response:
        """Answer one request, whatever happens."""
        api = api_of(request.host, request.path)
        method = api.method(request.method, request.path) if api else None
        name = method.id if method else f"{request.method} {request.host}{request.path}"
        is_json = "json" in request.headers.get("content-type", "")
        try:
            body = request.json if request.body and is_json else None
            with self._lock:
                self.calls.append(Call(name, request, body))
            if (fault := self._faults.meet(name)) is not None:
                return fault
            return self._dispatch(request, api, method, body)
        except ApiError as error:
            return error.response
        except Exception as error:  # a handler's own mistake must not look like Google's answer
            self._fail(f"{name}: {type(error).__name__}: {error}")
            return ApiError("FAILED_PRECONDITION", "The loopback control plane failed.").response

    def _dispatch(self, request: Request, api: Api | None, method: Method | None, body: Any) -> Response:
        found = self._find(request)
        if found is None:
            what = f"{request.method} https://{request.host}{request.path} {dict(request.query)}"
            self._fail(f"no handler for {what}")
            # 400, no 5xx: gcloud would try again for minutes.
            raise ApiError("UNIMPLEMENTED", f"The loopback control plane does not know {what}.", http=400)
        for guard in self.guards:
            guard(request)
        route, arguments = found
        if route.raw:
            return _response(route.handler(request, **arguments))
        if api is None or method is None:
            self._fail(f"the SDK has no method for {request.method} https://{request.host}{request.path}")
            raise ApiError("NOT_FOUND", "Method not found.")
        wrong = [
            f'Unknown name "{name}": no such parameter.'
            for name in api.unknown_parameters(method, request.query)
        ]
        if method.body is not None and request.body:
            wrong += api.unknown(method.body, body)
        elif request.body and body not in (None, {}):
            wrong.append(f"{method.id} takes no body")
        if wrong:
            self._fail(f"request of {method.id}: {'; '.join(wrong)}")
            raise ApiError("INVALID_ARGUMENT", f"Invalid JSON payload received. {' '.join(wrong)}")
        response = _response(route.handler(request, **arguments))
        if response.status < 300 and not isinstance(response.body, bytes):
            wrong = api.unknown(method.response, response.body)
            if wrong:
                self._fail(f"answer of {method.id}: {'; '.join(wrong)}")
        return response

    def _find(self, request: Request) -> tuple[_Route, dict[str, str]] | None:
        for route in self._routes:
            if route.method == request.method:
                host, path = route.host.fullmatch(request.host), route.path.fullmatch(request.path)
                if host and path:
                    arguments = {**host.groupdict(), **path.groupdict()}
                    return route, {name: unquote(value) for name, value in arguments.items()}
        return None

    def _fail(self, what: str) -> None:
        with self._lock:
            self.unknown.append(what)


def _template(text: str) -> re.Pattern[str]:
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+?)", re.escape(text))
    return re.compile(re.sub(r"\\\{(\w+)\\\*\\\}", r"(?P<\1>.+)", pattern))


def _response(answer: Mapping[str, Any] | Response) -> Response:
    return answer if isinstance(answer, Response) else Response(answer)
