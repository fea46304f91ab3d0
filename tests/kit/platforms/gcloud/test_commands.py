"""Values of flags that hold whatever separates them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kit.platforms.gcloud.commands import pairs


def test_plain_values_are_written_plainly() -> None:
    assert pairs({"A": "1", "B": "x y"}) == "A=1,B=x y"


def test_a_value_with_a_comma_names_another_delimiter() -> None:
    assert pairs({"A": "1,2", "B": ":"}) == "^;^A=1,2;B=:"


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z_]{1,9}", fullmatch=True), st.text(",:;|#@%+~/!?$&*^=01", max_size=60), min_size=1
    )
)
def test_every_value_arrives_as_it_is(values: dict[str, str]) -> None:
    text = pairs(values)
    delimiter = ","
    if text.startswith("^"):
        delimiter, _, text = text[1:].partition("^")
    assert dict(part.split("=", 1) for part in text.split(delimiter)) == values
