"""What a setting allows, says that it allows, and how rules between settings are read."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.settings import Rule, Setting, Value, first_broken, plain

WHOLE = Setting(int, 3, least=1, most=5_000)
NUMBER = Setting(float, 1, choices=(2, 4), least=0.5, most=1.5)
WORD = Setting(str, "", pattern="[a-z]+", form="a word")


@pytest.mark.parametrize(
    ("setting", "allowed", "refused"),
    [
        (WHOLE, [1, 3, 5000], [0, 5001, 2.0, True, "3", None, math.nan]),
        (NUMBER, [0.5, 1, 1.5, 2, 4, 4.0], [0.4, 1.6, 3, True, "1", None, math.nan, math.inf]),
        (WORD, ["a", ""], ["A", "a\n", "ä", "a1", 1, None]),
        (Setting(str, choices=("on", "off")), ["on"], ["", "On", "onoff"]),
        (Setting(int, choices=(0, 1)), [0, 1], [False, True, 2]),
    ],
)
def test_a_value_is_allowed_or_refused(
    setting: Setting, allowed: list[object], refused: list[object]
) -> None:
    assert [value for value in allowed if not setting.allows(value)] == []
    assert [value for value in refused if setting.allows(value)] == []


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (WHOLE, "a whole number from 1 to 5,000"),
        (NUMBER, "2 or 4, or a number from 0.5 to 1.5"),
        (replace(NUMBER, form="some"), "some"),
        (WORD, "a word"),
        (Setting(str, choices=("a", "b", "c")), '"a", "b" or "c"'),
        (Setting(str, choices=("a",)), '"a"'),
        (Setting(str), "a text in quotes"),
    ],
)
def test_what_is_expected_is_said_in_words(setting: Setting, said: str) -> None:
    assert setting.expected == said


@given(st.integers() | st.floats(allow_nan=False))
def test_a_number_typed_is_the_number_meant(number: float) -> None:
    setting = Setting(float, least=-math.inf, most=math.inf)
    assert setting.parsed(repr(number)) == float(number)  # beyond 2**53 the nearest that there is


@given(st.text())
def test_whatever_is_typed_is_allowed_or_not_and_nothing_else(text: str) -> None:
    for setting in (WHOLE, NUMBER, WORD):
        value = setting.parsed(text)
        assert setting.allows(value) or value != setting.default


@pytest.mark.parametrize(("value", "written"), [(2.0, "2"), (2, "2"), (0.5, "0.5"), ("2.0", "2.0")])
def test_a_number_is_written_without_a_needless_fraction(value: Value, written: str) -> None:
    assert str(plain(value)) == written


def rule(holds: str) -> Rule:
    return Rule(holds, "It must.", "somewhere", "A")


def test_the_first_rule_that_is_broken_is_found_with_what_it_speaks_of() -> None:
    kept, wrong, also = rule("a < b"), rule("c|mib <= 1024 * a"), rule("b < a")
    values: dict[str, Value] = {"a": 1, "b": 2, "c": "2Gi", "d": "x"}
    assert first_broken([kept, wrong, also], values) == (wrong, ("a", "c"))
    assert first_broken([kept, wrong], {**values, "c": "1024Mi"}) is None
    assert first_broken([], values) is None


@pytest.mark.parametrize("holds", ["e > 1", "a >", "a|gib > 1"])
def test_a_rule_that_cannot_be_read_is_named(holds: str) -> None:
    with pytest.raises(ValueError, match=r"a|e"):
        first_broken([rule(holds)], {"a": 1})
