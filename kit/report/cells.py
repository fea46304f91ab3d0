"""How wide text is on a terminal, and how to make it fit: a Chinese character takes two cells.

Whatever comes from outside (a URL, a server's error, a prompt) goes through `clean` first, so that it can
neither move the cursor nor turn the line around.
"""

from __future__ import annotations

import unicodedata

from kit.language import t

# Cc are control characters (an escape among them), Cs halves of surrogate pairs, which no stream can encode;
# the rest turn the direction of the text after them (Unicode's "Trojan source").
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")

# Chinese punctuation that begins no line, and that ends none.
_NEVER_FIRST = frozenset("，。、；：？！）》”")
_NEVER_LAST = frozenset("（《“")


def clean(text: str) -> str:
    """The text on one line, without anything that a terminal, a page or an encoder would obey or refuse."""
    return text if _plain(text) else "".join(_harmless(character) for character in text)


def one_line(sentence: str) -> str:
    """The same of a sentence, in the reader's language."""
    return clean(t(sentence))


def _harmless(character: str) -> str:
    if " " <= character <= "~":
        return character
    if character in "\t\n\r\v\f\x85\u2028\u2029":
        return " "
    if character in _TURNING or unicodedata.category(character) in ("Cc", "Cs"):
        return "�"
    return character


def cells(text: str) -> int:
    """How many cells of a terminal the text takes."""
    return len(text) if _plain(text) else sum(_cell(character) for character in text)


def _plain(text: str) -> bool:
    """Whether all of it is from the space to the tilde, as most is."""
    return text.isascii() and text.isprintable()


def _cell(character: str) -> int:
    if " " <= character <= "~":
        return 1
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, width: int) -> str:
    """The text, cut to `width` cells; where something was cut the last of them say so."""
    if cells(text) <= width:
        return text
    return _head(text, max(0, width - 1)) + _head("…", width)


def pad(text: str, width: int, *, right: bool = False) -> str:
    """The text with spaces up to `width` cells; on the left when it is to stand right."""
    space = " " * (width - cells(text))
    return space + text if right else text + space


def wrap(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells (at least two), broken between words and wide characters."""
    width = max(2, width)
    lines: list[str] = []
    line = ""
    for word in _words(text):
        if cells(line) + cells(word.rstrip()) > width and line:
            lines.append(line.rstrip())
            line = ""
            word = word.lstrip()
        while cells(word.rstrip()) > width:
            head = _head(word, width)
            lines.append(head)
            word = word[len(head) :]
        line += word
    lines.append(line.rstrip())
    return lines


def hang(lead: str, sentence: str, width: int) -> list[str]:
    """The sentence after its lead, in the reader's language, its further lines under its beginning."""
    first, *rest = wrap(one_line(sentence), width - cells(lead))
    return [lead + first, *(" " * cells(lead) + line for line in rest)]


def _words(text: str) -> list[str]:
    """Pieces between which a line may break, each with the spaces that follow it."""
    words: list[str] = []
    breakable = True
    for character in text:
        wide = _cell(character) == 2
        if character == " ":
            words[-1:] = [words[-1] + " "] if words else [" "]
            breakable = True
        elif words and (character in _NEVER_FIRST or words[-1][-1] in _NEVER_LAST):
            words[-1] += character
            breakable = wide
        elif breakable or wide:
            words.append(character)
            breakable = wide
        else:
            words[-1] += character
    return words


def _head(text: str, width: int) -> str:
    taken = 0
    for index, character in enumerate(text):
        taken += _cell(character)
        if taken > width:
            return text[:index]
    return text
