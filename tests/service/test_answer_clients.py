"""The two clients that switch to polling, examples/answer.py and service/page/answer.js: the same of both.

What they show before the generator may go on, they show before the answer's end: it waits at a gate.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from playwright.sync_api import Page

from examples.answer import TRIES, Answer, AnswerError
from kit.targets import Hold, load_targets
from service import problems
from tests.fixtures.browser import Visit
from tests.fixtures.proxies import Caddy
from tests.kit.lab.specs import front
from tests.service.conftest import Answering, Behind
from tests.service.gate import Gate
from tests.service.ways import PIECE, QUESTION, Way, late, one_at_a_time, refusing, saying, seen, sent_twice

FRONTS = {name: target.front for name, target in load_targets().items()}
NEVER_S = 3600.0
SOON_S = 0.02


class Client(Protocol):
    """One answer being read."""

    @property
    def mode(self) -> str: ...

    @property
    def switched(self) -> list[list[object]]: ...

    def text(self) -> str | None:
        """The next text, as soon as it comes; None after `done`. Raises AnswerError."""

    def leave(self) -> None: ...


class Reading(Protocol):
    """Begins to read an answer; times in seconds."""

    def __call__(
        self, url: str, *, patience_s: float = ..., allowance_s: float = ..., token: str = ..., **asked: Any
    ) -> Client: ...


class InPython:
    def __init__(self, url: str, asked: dict[str, Any], patience_s: float, allowance_s: float, token: str):
        self.switched: list[list[object]] = []
        self._answer = Answer(
            url,
            {"ai_prompt": "Why?", **asked},
            token=token,
            on_switch=lambda why, missing: self.switched.append([why, missing]),
            patience_s=patience_s,
            allowance_s=allowance_s,
        )
        self._text = self._answer.text()

    @property
    def mode(self) -> str:
        return self._answer.mode

    def text(self) -> str | None:
        return next(self._text, None)

    def leave(self) -> None:
        del self._text


BEGIN = """async ([asked, options]) => {
    const { Answer } = await import("/page/answer.js");
    const switched = [];
    const onSwitch = (why, missing) => switched.push([why, missing]);
    const answer = new Answer(".", asked, { ...options, onSwitch });
    window.reading = { answer, switched, text: answer.text() };
}"""
NEXT = """async () => {
    try {
        const { value } = await reading.text.next();
        return { text: value ?? null };
    } catch ({ kind, message, status, problem }) {
        return { error: [kind, message, status ?? null, problem] };
    }
}"""


class InJavaScript:
    def __init__(
        self, page: Page, asked: dict[str, Any], patience_s: float, allowance_s: float, token: str
    ) -> None:
        self._page = page
        options = {"patienceMs": 1000 * patience_s, "allowanceMs": 1000 * allowance_s, "token": token}
        page.evaluate(BEGIN, [{"ai_prompt": "Why?", **asked}, options])

    @property
    def mode(self) -> str:
        return str(self._page.evaluate("reading.answer.mode"))

    @property
    def switched(self) -> list[list[object]]:
        return list(self._page.evaluate("reading.switched"))

    def text(self) -> str | None:
        step = self._page.evaluate(NEXT)
        if "error" in step:
            raise AnswerError(*step["error"])
        return None if step["text"] is None else str(step["text"])

    def leave(self) -> None:
        self._page.evaluate("reading.text.return().then(() => {})")


@pytest.fixture(params=["python", "javascript"])
def reading(request: pytest.FixtureRequest) -> Reading:
    in_python = request.param == "python"
    visit: Visit | None = None if in_python else request.getfixturevalue("visit")

    def read(
        url: str, *, patience_s: float = SOON_S, allowance_s: float = SOON_S, token: str = "", **asked: Any
    ) -> Client:
        if visit is None:
            return InPython(url, asked, patience_s, allowance_s, token)
        return InJavaScript(visit(url), asked, patience_s, allowance_s, token)

    return read


# ---- Held or slow


@pytest.mark.parametrize(
    ("reading", "target", "accel"),
    [("python", "standard", "on"), ("python", "flex", "off"), ("javascript", "standard", "on")],
    indirect=["reading"],
)
def test_where_the_platform_holds_the_stream_the_text_grows_all_the_same(
    answering: Answering, behind: Behind, reading: Reading, target: str, accel: str
) -> None:
    first, second = Gate(), Gate()
    base = answering(saying("one ", "two ", first, "three ", second, "four"))
    client = reading(behind(Way(FRONTS[target], base)), accel=accel)
    assert [client.text(), client.text()] == ["one ", "two "]
    assert (client.mode, client.switched) == ("polling", [["held", 2]])
    first.open()
    assert client.text() == "three "
    second.open()
    assert [client.text(), client.text()] == ["four", None]
    assert client.switched == [["held", 2]]


@pytest.mark.parametrize(
    ("reading", "target", "accel"),
    [("python", "run", "off"), ("python", "flex", "on"), ("javascript", "run", "on")],
    indirect=["reading"],
)
def test_where_it_streams_a_slow_model_is_waited_for(
    answering: Answering, behind: Behind, reading: Reading, target: str, accel: str
) -> None:
    first, second = Gate(), Gate()
    gates = iter([first, second])
    # Each gate opens only once the client has asked three times in vain; nothing had been written.
    asked_often = [seen(QUESTION, times, lambda: next(gates).open()) for times in (3, 6)]
    base = answering(
        saying(first, "one ", second, "two"), around=lambda app: asked_often[0](asked_often[1](app))
    )
    client = reading(behind(Way(FRONTS[target], base)), allowance_s=NEVER_S, accel=accel)
    assert [client.text(), client.text(), client.text()] == ["one ", "two", None]
    assert (client.mode, client.switched) == ("stream", [])


def test_what_comes_just_after_it_was_announced_is_not_held(answering: Answering, reading: Reading) -> None:
    # Nothing comes on the stream until the client asks for the second time: one piece that says more than
    # has come proves nothing.
    over = Gate()
    client = reading(answering(saying("one ", "two"), around=late(over)))
    assert [client.text(), client.text(), client.text()] == ["one ", "two", None]
    assert (client.mode, client.switched) == ("stream", [])
    over.open()


def test_a_server_of_one_request_at_a_time_streams(answering: Answering, reading: Reading) -> None:
    gate = Gate()
    # The question hangs for as long as the stream lasts, and the gate opens only once there is one.
    base = answering(saying("one ", gate, "two"), around=one_at_a_time(gate.open))
    client = reading(base)
    assert [client.text(), client.text(), client.text()] == ["one ", "two", None]
    assert (client.mode, client.switched) == ("stream", [])


# ---- A stream that breaks off


def cut_by_a_front(base: str, request: pytest.FixtureRequest) -> str:
    behind = request.getfixturevalue("behind")
    return str(behind(Way(front("none"), base, post=front("none", deadline_s=0.5))))


def refused_by_a_real_proxy(base: str, request: pytest.FixtureRequest) -> str:
    caddy: Caddy = request.getfixturevalue("caddy")
    return caddy(base, directives="response_buffers 64KiB")  # 501, for the sake of Incremental: ?1


def ended_by_the_service(base: str, request: pytest.FixtureRequest) -> str:
    return base  # which has a deadline for each response, but not for the answer


@pytest.mark.parametrize(
    ("reading", "way", "come", "deadline_s"),
    [
        ("python", cut_by_a_front, 1, None),
        ("python", refused_by_a_real_proxy, 1, None),
        ("python", ended_by_the_service, 1, 0.5),
        ("python", ended_by_the_service, 0, 0.5),
        ("javascript", cut_by_a_front, 1, None),
        ("javascript", ended_by_the_service, 1, 0.5),
        ("javascript", ended_by_the_service, 0, 0.5),
    ],
    indirect=["reading"],
)
def test_a_stream_that_breaks_off_is_gone_on_with(
    answering: Answering,
    reading: Reading,
    request: pytest.FixtureRequest,
    way: Callable[[str, pytest.FixtureRequest], str],
    come: int,
    deadline_s: float | None,
) -> None:
    gate = Gate()
    words: list[str | Gate] = ["one ", "two"]
    words.insert(come, gate)  # which opens only when a client waits for a piece
    base = answering(saying(*words), around=seen(PIECE, 1, gate.open), deadline_s=deadline_s)
    client = reading(way(base, request), patience_s=NEVER_S)
    assert [client.text(), client.text(), client.text()] == ["one ", "two", None]
    assert (client.mode, client.switched) == ("polling", [["cut", 0]])


def test_a_request_that_was_sent_twice_is_answered_once(answering: Answering, reading: Reading) -> None:
    client = reading(answering(saying("one ", "two"), around=sent_twice()), patience_s=NEVER_S)
    assert [client.text(), client.text(), client.text()] == ["one ", "two", None]


def test_a_failed_piece_is_asked_for_again(answering: Answering, behind: Behind, reading: Reading) -> None:
    gate = Gate()
    base = answering(saying("one ", gate, "two"), around=refusing(503, TRIES - 1))
    client = reading(behind(Way(FRONTS["standard"], base)))
    assert client.text() == "one "
    gate.open()
    assert [client.text(), client.text()] == ["two", None]


@pytest.mark.parametrize(
    ("reading", "status", "pieces"),
    [("python", 503, TRIES), ("python", 403, 1), ("javascript", 503, TRIES)],
    indirect=["reading"],
)
def test_one_that_fails_on_is_given_up(
    answering: Answering, behind: Behind, reading: Reading, status: int, pieces: int
) -> None:
    base = answering(saying("one ", Gate()), around=refusing(status, pieces))
    client = reading(behind(Way(FRONTS["standard"], base)))
    assert client.text() == "one "
    with pytest.raises(AnswerError, match=f"a proxy on the way: HTTP {status}, text/html") as failed:
        client.text()
    assert (failed.value.kind, failed.value.status) == ("foreign", status)


# ---- No answer


def test_an_answer_that_is_lost_is_said_to_be(answering: Answering, behind: Behind, reading: Reading) -> None:
    way = Way(FRONTS["standard"], answering(saying("one ", Gate())))
    client = reading(behind(way))
    assert client.text() == "one "
    way.to = answering(saying("never"))  # from here on another instance is asked, which knows nothing of it
    with pytest.raises(AnswerError, match=r"This answer is not here\..*; ask anew") as lost:
        client.text()
    assert (lost.value.kind, lost.value.status) == ("lost", 410)


def test_an_answer_that_fails_says_why(answering: Answering, behind: Behind, reading: Reading) -> None:
    client = reading(behind(Way(FRONTS["standard"], answering(saying("one", problems.internal())))))
    assert client.text() == "one"
    with pytest.raises(AnswerError, match="The service failed") as failed:
        client.text()
    assert (failed.value.kind, failed.value.problem) == ("problem", problems.internal().body())


TOKEN = "q5zUJ3C0wT5m-8xkVb_A1rGq0Yd7nEhLsoP2iKfM9Zc"


@pytest.mark.parametrize(
    ("reading", "token", "prompt", "status"),
    [
        ("python", "", "Why?", 401),
        ("python", TOKEN, " ", 422),
        ("python", TOKEN, "Why?", None),
        ("javascript", "another", "Why?", 401),
        ("javascript", TOKEN, "Why?", None),
    ],
    indirect=["reading"],
)
def test_who_is_refused_is_told_why(
    answering: Answering, behind: Behind, reading: Reading, token: str, prompt: str, status: int | None
) -> None:
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    base = answering(saying("one"), token_sha256=digest)
    client = reading(behind(Way(FRONTS["standard"], base)), token=token, ai_prompt=prompt)
    if status is None:
        assert [client.text(), client.text()] == ["one", None]
    else:
        with pytest.raises(AnswerError) as refused:
            client.text()
        assert (refused.value.kind, refused.value.status) == ("problem", status)
        assert client.switched == []


def test_too_many_streams_are_said_to_be_too_many(answering: Answering, reading: Reading) -> None:
    base = answering(saying("one", Gate()), max_streams=1)
    held = reading(base, patience_s=NEVER_S)
    assert held.text() == "one"
    with pytest.raises(AnswerError, match="Too many answers are being streamed") as refused:
        reading(base, patience_s=NEVER_S).text()
    assert refused.value.status == 503
    held.leave()


# ---- Leaving


@pytest.mark.alone
@pytest.mark.parametrize("hold", ["whole", "none"])
def test_leaving_stops_the_model_after_the_grace(
    answering: Answering, behind: Behind, reading: Reading, hold: Hold
) -> None:
    stopped = threading.Event()

    base = answering(saying("one", Gate(), stopped=stopped), leave_grace_s=0.5, heartbeat_s=NEVER_S)
    client = reading(behind(Way(front(hold, client_leaves="passed"), base)))
    assert client.text() == "one"
    client.leave()
    assert stopped.wait(60)


# ---- python examples/answer.py

COMMAND = [sys.executable, str(Path(__file__).parents[2] / "examples" / "answer.py")]


def test_the_command_prints_text_as_it_comes_and_why_in_pieces(answering: Answering, behind: Behind) -> None:
    gate = Gate()
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    base = answering(saying("eins ", gate, "zwölf"), token_sha256=digest)
    command = subprocess.Popen(
        [*COMMAND, behind(Way(FRONTS["standard"], base)), "Why?"],
        env={**os.environ, "TOKEN": TOKEN, "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout
    assert command.stdout.read(5) == b"eins "
    gate.open()
    text, errors = command.communicate(timeout=60)
    assert (command.returncode, text.decode()) == (0, f"zwölf{os.linesep}")
    assert errors.decode().strip() == (
        "[The stream is held: 1 event had been written and had not come. Asking in pieces.]"
    )


def test_a_reader_that_leaves_ends_the_command_without_a_word(answering: Answering) -> None:
    gate = Gate()
    command = subprocess.Popen(
        [*COMMAND, answering(saying("one ", gate, "two ")), "Why?"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout
    assert command.stdout.read(4) == b"one "
    command.stdout.close()  # as `| head -c 4` does
    gate.open()
    assert command.stderr
    assert (command.stderr.read(), command.wait(timeout=60)) == (b"", 141)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["http://127.0.0.1:1", "hi"], "error: The service cannot be reached ([Errno "),
        (["127.0.0.1:8080", "hi"], "error: '127.0.0.1:8080' is no URL of a service, such as https://"),
        (["http://127.0.0.1:1"], "usage: python examples/answer.py URL PROMPT"),
    ],
)
def test_what_the_command_cannot_do_is_one_line(arguments: list[str], line: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(line)
    assert len(done.stderr.splitlines()) == 1
