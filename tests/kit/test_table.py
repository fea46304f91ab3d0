"""A table says what was expected of it, in the words of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kit.errors import Code, KitError
from kit.table import Table, nearest


def table(**raw: Any) -> Table:
    return Table(Path("a.toml"), raw, Code.BAD_CONFIG, "top")


def test_a_whole_number_is_also_a_number() -> None:
    assert table(speed=3).take("speed", float) == 3.0
    assert isinstance(table(speed=3).take("speed", float), float)


@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, int), (1.5, int), (1, bool), (1, str), (float("nan"), float), (None, str), ([], str)],
)
def test_a_value_of_another_type_is_refused(value: Any, kind: type) -> None:
    with pytest.raises(KitError, match=r"a\.toml: top\.key is"):
        table(key=value).take("key", kind)


def test_a_missing_key_has_its_default_or_is_named() -> None:
    assert table().take("key", int, 7) == 7
    with pytest.raises(KitError, match=r"a\.toml: top\.key is missing"):
        table().take("key", int)


def test_what_nobody_asked_for_is_named_with_the_nearest_known_key() -> None:
    asked = table(speed=1, sped=2)
    asked.take("speed", int)
    with pytest.raises(KitError) as told:
        asked.done()
    assert told.value.message == "a.toml: top.sped is not a known key."
    assert told.value.hint == "Did you mean 'speed'?"


def test_a_key_is_named_from_the_top_of_the_file() -> None:
    (claim,) = table(claims=[{"text": 1}]).tables("claims")
    with pytest.raises(KitError, match=r"top\.claims\[0\]\.text is 1"):
        claim.take("text", str)
    with pytest.raises(KitError, match=r"top\.front\.hold is missing"):
        table().table("front").take("hold", str)


def test_a_long_value_is_cut_in_the_sentence() -> None:
    with pytest.raises(KitError) as told:
        table(key="x" * 10_000).take("key", int)
    assert len(told.value.message) < 120


def test_where_nothing_is_near_all_that_is_known_is_named() -> None:
    assert nearest("zzz", ["speed", "size"]) == "Known are: speed, size."


def test_a_list_of_values_holds_one_kind_only() -> None:
    assert table(a=[1, 2.5]).values("a", float) == (1, 2.5)
    assert table(a=["x"]).values("a", str) == ("x",)
    assert table().values("a", int) == ()
    several: tuple[Any, ...] = ([1.5], [True], ["1"], 1, {})
    for wrong in several:
        with pytest.raises(KitError) as told:
            table(a=wrong).values("a", int)
        assert "top.a is" in told.value.message
        assert told.value.hint == "Expected a list, and in it only a whole number."
