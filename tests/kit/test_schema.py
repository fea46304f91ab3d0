"""What is wrong with data from a file is one sentence: where, what, and what was expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest

from kit.errors import Code, KitError
from kit.schema import STRICT, Convert, nearest, parse, read_toml


def _even(number: int) -> int:
    if number % 2:
        raise ValueError("an even number")
    return number // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Inner:
    __pydantic_config__ = STRICT

    size: int = field(metadata={"gt": 0})
    speed: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    __pydantic_config__ = STRICT

    left: Inner | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    __pydantic_config__ = STRICT

    name: str = "x"
    kind: Literal["a", "b"] = "a"
    half: Annotated[int, Convert(_even)] = 0
    words: tuple[str, ...] = ()
    flags: Mapping[Literal["on", "off"], bool] = field(default_factory=dict)
    one: Inner | None = None
    pair: Pair | None = None
    many: tuple[Inner, ...] = ()
    by_name: Mapping[str, Inner] = field(default_factory=dict)


def test_a_file_becomes_what_it_describes() -> None:
    raw = {
        "half": 4,
        "words": ["a"],
        "one": {"size": 1, "speed": 3},
        "many": [{"size": 2}],
        "flags": {"on": True},
    }
    found = parse(Outer, raw, "a.toml", Code.BAD_TARGET)
    assert found == Outer(
        half=2, words=("a",), one=Inner(size=1, speed=3.0), many=(Inner(size=2),), flags={"on": True}
    )
    assert isinstance(found.one and found.one.speed, float)


@pytest.mark.parametrize(
    ("raw", "said", "hint"),
    [
        ({"name": 1}, "top.name is 1", "a text in quotes"),
        ({"name": "x" * 10_000, "half": "y" * 10_000}, f"top.half is '{'y' * 59}…", "a whole number"),
        ({"half": True}, "top.half is True", "a whole number"),
        ({"half": 2.5}, "top.half is 2.5", "a whole number"),
        ({"half": 3}, "top.half is 3", "an even number"),
        ({"kind": "c"}, "top.kind is 'c'", "'a' or 'b'"),
        ({"words": "a"}, "top.words is 'a'", "a list"),
        ({"words": ["a", 1]}, "top.words[1] is 1", "a text in quotes"),
        ({"one": 1}, "top.one is 1", "a table"),
        ({"one": {}}, "top.one.size is missing", "a whole number"),
        ({"one": {"size": 0}}, "top.one.size is 0", "a number above 0"),
        ({"one": {"size": 1, "speed": float("nan")}}, "top.one.speed is nan", "a number"),
        ({"many": [{"size": 1}, {}]}, "top.many[1].size is missing", "a whole number"),
        ({"many": {}}, "top.many is {}", "a list"),
        ({"by_name": []}, "top.by_name is []", "a table"),
        # A key too many, and the one that was probably meant.
        ({"nam": "x"}, "top.nam is not a known key", "Did you mean 'name'?"),
        ({"one": {"size": 1, "sped": 1}}, "top.one.sped is not a known key", "Did you mean 'speed'?"),
        ({"many": [{"size": 1, "sped": 1}]}, "top.many[0].sped is not a known key", "Did you mean 'speed'?"),
        (
            {"by_name": {"it": {"size": 1, "zzz": 1}}},
            "top.by_name.it.zzz is not a",
            "Known are: size, speed.",
        ),
        ({"flags": {"of": True}}, "top.flags.of is not a known key", "Did you mean 'off'?"),
        # What JSON cannot carry.
        ({"name": date(2026, 1, 2)}, "top.name is datetime.date(2026, 1, 2)", "a text in quotes"),
        ({"many": [{}, {"size": time(1)}]}, "top.many[1].size is datetime.time(1, 0)", "no date or time"),
        ({"name": "\udcff"}, "top is ", "text that UTF-8 can hold"),
    ],
)
def test_what_is_wrong_is_named_with_what_was_expected(raw: dict[str, Any], said: str, hint: str) -> None:
    with pytest.raises(KitError) as caught:
        parse(Outer, raw, "a.toml", Code.BAD_CONFIG, at="top")
    assert caught.value.message.startswith(f"a.toml: {said}")
    assert hint in caught.value.hint
    assert caught.value.code is Code.BAD_CONFIG


def test_without_a_place_of_its_own_the_file_itself_is_wrong() -> None:
    with pytest.raises(KitError, match=r"a\.toml: it is \[\]"):
        parse(Outer, [], "a.toml", Code.BAD_CONFIG)


def test_where_nothing_is_near_all_that_is_known_is_named() -> None:
    assert nearest("zzz", ["speed", "size"]) == "Known are: speed, size."


@pytest.mark.parametrize("text", [b"\xff", b"a = ]", b"a = " + b"[" * 10_000, None])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: bytes | None) -> None:
    file = tmp_path / "a.toml"
    if text is None:
        file.mkdir()
    else:
        file.write_bytes(text)
    with pytest.raises(KitError, match=r"a\.toml cannot be read as TOML: \S") as caught:
        read_toml(file, Code.BAD_CONFIG)
    assert caught.value.code is Code.BAD_CONFIG
