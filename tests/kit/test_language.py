from __future__ import annotations

import copy
import pickle
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pytest

from kit import language
from kit.language import Text, bare, capital, catalogue, folded, in_chinese, join, speak, spoken, t, text
from kit.platforms.gcloud import fault_rules, kubectl_rules
from kit.proof.verdict import Method
from tests.fixtures.sentences import placeholders, templates


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    yield
    speak("en")


def test_a_sentence_is_its_english() -> None:
    held = text("each event held {hold_ms:.0f} ms", hold_ms=312.4)
    assert held == "each event held 312 ms"
    assert {held: 1}["each event held 312 ms"] == 1
    assert in_chinese(held) == "每个事件晚 312 毫秒"


def test_braces_stand_for_themselves_in_a_sentence_without_values() -> None:
    assert text('a body of {"q": 1}') == 'a body of {"q": 1}'


def test_values_that_are_sentences_are_translated_and_names_are_not() -> None:
    inner = text("buffered in blocks of {size}", size=text("{size:,} bytes", size=1500))
    outer = text("{verdict}, {kept}", verdict=inner, kept=text("as expected"))
    assert outer == "buffered in blocks of 1,500 bytes, as expected"
    assert in_chinese(outer) == "按 1,500 字节的块缓冲，与预期相符"
    assert in_chinese(text("{found} ({doubts})", found="my-name", doubts="no-proof")) == "my-name（no-proof）"


@dataclass(frozen=True, slots=True)
class Held:
    said: str


def test_it_stays_a_sentence_when_it_is_copied_pickled_kept_joined_and_added_to() -> None:
    said = text("each event held {hold_ms:.0f} ms", hold_ms=300)
    for kept in (
        copy.deepcopy(said),
        pickle.loads(pickle.dumps(said)),
        str(said),
        replace(Held(""), said=said).said,
    ):
        assert isinstance(kept, Text)
        assert (kept, in_chinese(kept)) == (said, "每个事件晚 300 毫秒")
    both = join("; ", (said, text("streamed"), "https://a.example/"))
    assert both == "each event held 300 ms; streamed; https://a.example/"
    assert in_chinese(both) == "每个事件晚 300 毫秒；流式；https://a.example/"
    added = "1. " + said + text(", but it looks streamed")
    assert added == "1. each event held 300 ms, but it looks streamed"
    assert in_chinese(added) == "1. 每个事件晚 300 毫秒，但看来是流式"
    assert in_chinese(copy.copy(both)) == in_chinese(both)


def test_a_capital_changes_the_english_alone() -> None:
    said = capital(text("each event"))
    assert said == "Each event"
    assert in_chinese(said) == "每个事件"
    assert capital("x") == "X"


def test_a_sentence_within_another_has_no_full_stop_in_either_language() -> None:
    within = bare(text("Check the path."))
    assert (within, in_chinese(within)) == ("Check the path", "检查路径")


def test_values_may_come_later() -> None:
    said = text("was cut after {after}").format(after=text("{s:.0f} s", s=60))
    assert said == "was cut after 60 s"
    assert in_chinese(said) == "在 60 秒后被切断了"


def test_data_is_looked_up_as_a_whole_or_line_by_line_and_lines_to_paste_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(language, "catalogue", lambda: {"Turn it off:": "关闭：", "Two lines.": "两行。"})
    assert in_chinese("Two\nlines.") == "两行。"
    assert in_chinese("Turn it off:\n    gzip off;\nTwo lines.") == "关闭：\n    gzip off;\n两行。"


def test_what_has_no_chinese_stays_and_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "untranslated", set())
    assert in_chinese(text("no such {thing}", thing="x")) == "no such x"
    assert in_chinese("nor this") == "nor this"
    assert language.untranslated == {"no such {thing}", "nor this"}


@pytest.mark.parametrize(
    ("option", "environment", "found"),
    [
        (None, {}, "en"),
        (None, {"LANG": "zh_CN.UTF-8"}, "zh"),
        (None, {"LC_MESSAGES": "zh_TW.UTF-8", "LANG": "de_DE.UTF-8"}, "zh"),
        (None, {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, "en"),
        (None, {"LC_ALL": "", "LANG": "zh_CN.UTF-8"}, "zh"),
        ("en", {"LC_ALL": "zh_CN.UTF-8"}, "en"),
        ("zh", {"LC_ALL": "en_US.UTF-8"}, "zh"),
    ],
)
def test_the_option_wins_over_the_locale(option: str | None, environment: dict[str, str], found: str) -> None:
    speak(option, environment)
    assert spoken() == found
    assert t(text("streamed")) == {"en": "streamed", "zh": "流式"}[found]


OURS = ("verdict", "report", "doctor", "contract", "flows", "deploy", "page", "explain")


def ours() -> Mapping[str, str]:
    """The sentences that the code says; the other files have the Chinese of data."""
    found: dict[str, str] = {}
    for name in OURS:
        table = tomllib.loads((language.CATALOGUE / f"{name}.toml").read_text("utf-8"))["sentences"]
        twice = found.keys() & {folded(english) for english in table}
        assert not twice, f"{name}.toml says again: {sorted(twice)}"
        found |= {folded(english): chinese for english, chinese in table.items()}
    return found


def test_every_sentence_of_the_code_has_its_chinese_and_none_is_left_over() -> None:
    assert {said: place for said, place in templates().items() if said not in catalogue()} == {}
    # Chosen among by a figure or a code, and so written without text().
    kinds = {
        "none found",
        "delivered",
        "cancelled",
        "refused",
        "queued",
        "silent",
        "held",
        "late",
        "cut",
        "hung",
    }
    rules = (*fault_rules.RULES, *kubectl_rules.RULES)
    said = {folded(words) for rule in rules for words in (rule.hint, rule.message, rule.otherwise) if words}
    assert said - catalogue().keys() == set()
    plain = {str(method) for method in Method} | kinds | said
    assert ours().keys() - templates().keys() - plain == set()


def test_both_languages_have_the_same_places_for_values() -> None:
    for english, chinese in ours().items():
        names = placeholders(english)
        assert placeholders(chinese) == names, english
        if names - {"…", "url"}:
            assert "{" not in chinese.format(**dict.fromkeys(names, 1)), english


def test_a_space_between_two_parts_stays_unless_both_are_chinese() -> None:
    assert in_chinese(join(" ", ("p50", "304 ms"))) == "p50 304 ms"
    assert in_chinese(join(" ", ("静默", "说话"))) == "静默说话"
