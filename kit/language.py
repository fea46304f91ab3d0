"""The reader's language: English sentences that keep their template and values, and their Chinese.

What makes a sentence writes `text("held for {ms:.0f} ms", ms=ms)`: a str, in English, for whatever compares,
stores or sends it. What prints for a person asks `t(sentence)`. The Chinese stands in kit/chinese/*.toml, by
the English template, and is read when it is first wanted.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Final, Literal, overload

Language = Literal["en", "zh"]

CATALOGUE: Final = Path(__file__).with_name("chinese")

_BETWEEN: Final = {
    ", ": "、", " and ": " 和 ", " or ": " 或 ", "; ": "；", "; from ": "；", "; or ": "；或", ": ": "：",
    ". ": "。",
}  # fmt: skip
_GAP: Final = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef]) (?=[\u3000-\u9fff\uff00-\uffef])")
_chosen: Language = "en"

# Sentences without Chinese that were to be printed in it since this was last emptied: for tests.
untranslated: set[str] = set()


class Text(str):
    """An English sentence.

    Attributes:
        template: its words, with the names of values in braces; literal braces are doubled where it has any.
        values: by name; those that are sentences are translated with it.
    """

    __slots__ = ("template", "values")
    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, values: Mapping[str, object], english: str | None = None) -> Text:
        """`english` where it is spelt otherwise than the template says."""
        self = super().__new__(cls, _filled(template, values) if english is None else english)
        self.template, self.values = template, values
        return self

    def __str__(self) -> str:
        """Itself: str() of a sentence keeps its template."""
        return self

    def __reduce__(self) -> tuple[type[Text], tuple[object, ...]]:
        """Copied and pickled with all that it has."""
        return type(self), (self.template, dict(self.values), str.__str__(self))

    def __add__(self, after: str) -> str:
        return join("", (self, after))

    def __radd__(self, before: str) -> str:
        return join("", (before, self))

    def format(self, *args: object, **values: object) -> str:
        """The sentence with these values, of one that was made without."""
        return Text(self.template, values)


class _Joined(Text):
    """Several sentences; the template is what stands between them."""

    __slots__ = ()


class _Bare(Text):
    """A sentence that stands within another one, and so without its full stop."""

    __slots__ = ()


def text(template: str, /, **values: object) -> str:
    """A sentence. Templates are literals: a test looks for the Chinese of each."""
    return Text(template, values)


def join(between: str, parts: Iterable[str]) -> str:
    """`between.join(parts)`, each part in the reader's language, and what is between as Chinese has it."""
    values = dict(enumerate(parts))
    return _Joined(between, {str(at): part for at, part in values.items()}, between.join(values.values()))


def capital(sentence: str) -> str:
    """The sentence with a capital letter, which Chinese has not."""
    english = sentence[:1].upper() + sentence[1:]
    return (
        type(sentence)(sentence.template, sentence.values, english) if isinstance(sentence, Text) else english
    )


def bare(sentence: str) -> str:
    """The sentence without its full stop, to stand within another one."""
    return _Bare("{sentence}", {"sentence": sentence}, sentence.removesuffix("."))


def speak(language: str | None, environment: Mapping[str, str] | None = None) -> None:
    """Choose what `t` says: the language by name, else by the first of the locale's variables that is set."""
    global _chosen
    found = (environment or {}).get
    wanted = language or found("LC_ALL") or found("LC_MESSAGES") or found("LANG") or ""
    _chosen = "zh" if wanted.lower().startswith("zh") else "en"


def spoken() -> Language:
    """The language that is chosen; English unless another is."""
    return _chosen


@overload
def t(sentence: str) -> str: ...
@overload
def t(sentence: None) -> None: ...
def t(sentence: str | None) -> str | None:
    """The sentence as a person is to read it."""
    return sentence if sentence is None or _chosen == "en" else in_chinese(sentence)


def in_chinese(sentence: str) -> str:
    """The sentence in Chinese, whatever is chosen; as it is where there is none."""
    if not isinstance(sentence, Text):
        return _plain(sentence)
    values = {name: _value(value) for name, value in sentence.values.items()}
    if isinstance(sentence, _Bare):
        return str(values["sentence"]).removesuffix("。").removesuffix(".")
    if isinstance(sentence, _Joined):
        return _closed(_BETWEEN.get(sentence.template, sentence.template).join(map(str, values.values())))
    chinese = _found(sentence.template)
    return _closed(_filled(sentence.template if chinese is None else chinese, values))


def _value(value: object) -> object:
    """A sentence in Chinese; a word if it has one; anything else, a name or a figure, as it is."""
    if isinstance(value, Text):
        return in_chinese(value)
    return catalogue().get(folded(value), value) if isinstance(value, str) else value


def _plain(english: str) -> str:
    """What comes from data: as a whole, else line by line; a line that is indented is there to be pasted."""
    if "\n" not in english or folded(english) in catalogue():
        return _found(english) or english
    return "\n".join(line if line.startswith("    ") else _plain(line) for line in english.split("\n"))


def _found(english: str) -> str | None:
    chinese = catalogue().get(folded(english))
    if chinese is None and english.strip():
        untranslated.add(english)
    return chinese


def _filled(template: str, values: Mapping[str, object]) -> str:
    return template.format(**values) if values else template


def _closed(chinese: str) -> str:
    """Without the spaces between two Chinese characters that stand around a figure or a name in English."""
    return _GAP.sub("", chinese)


def folded(english: str) -> str:
    """Without the line breaks and spaces that differ between two places of the same words."""
    return " ".join(english.split())


@cache
def catalogue() -> Mapping[str, str]:
    """All Chinese that there is, by its English, folded."""
    return {
        folded(english): chinese
        for path in sorted(CATALOGUE.glob("*.toml"))
        for english, chinese in tomllib.loads(path.read_text("utf-8"))["sentences"].items()
    }
