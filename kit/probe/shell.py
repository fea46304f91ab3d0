"""A command line as it was copied or typed, in its words, as bash reads it.

Nothing is run and nothing expanded: what would need a shell (a variable, a file) is refused. No error shows
what stood in the text, which may hold a token.
"""

from __future__ import annotations

import re

from kit.errors import KitError, UsageError

_PLAIN = re.compile(r"[^ \t\r\n\\'\"$`|&;<>()]+")
_CONTINUED = re.compile(r"\\[ \t]*\r?\n")  # bash wants nothing before the line's end; people leave blanks
_REDIRECTED = re.compile(r"&?>[>&|]?[ \t]*")
_EXPANDED = re.compile(r"`|\$[\w({@*#?$!-]", re.ASCII)
_IN_DOUBLE = re.compile(r"[^\\\"$`]+")
_DOUBLE_ESCAPED = re.compile(r"\\(?:\r?\n|(?P<char>[\\\"$`]))")
_IN_ANSI = re.compile(r"[^\\']+")
_ANSI_ESCAPED = re.compile(
    r"\\(?:(?P<octal>[0-7]{1,3})|x(?P<byte>[0-9A-Fa-f]{1,2})"
    r"|u(?P<high>[dD][89abAB][0-9A-Fa-f]{2})\\u(?P<low>[dD][c-fC-F][0-9A-Fa-f]{2})"
    r"|u(?P<short>[0-9A-Fa-f]{1,4})|U(?P<long>[0-9A-Fa-f]{1,8})|c(?P<control>.)|(?P<other>.))",
    re.DOTALL,
)
_ANSI_NAMED = dict(zip("abeEfnrtv", "\a\b\x1b\x1b\f\n\r\t\v", strict=True))
# What begins a word or ends a line where a browser has copied for Windows' cmd; for bash none does.
_FOR_CMD = re.compile(r"\^(?:\"|\r?\n)")


def words(text: str) -> list[str]:
    """The words of the one command in `text`; bytes that are no UTF-8 become lone surrogates (PEP 383).

    A redirection, and what follows a pipe, is left out: it does not change the command.

    Raises:
        KitError: BAD_USAGE for more than one command, for open quotes, and for what only a shell can expand.
    """
    try:
        raw = [word.encode("utf-8", "surrogateescape") for word in _Bash(text).words()]
    except UnicodeEncodeError:
        raise refused("holds half a character.", "Save it as UTF-8 and try again.") from None
    if any(b"\0" in word for word in raw):
        raise refused("holds a NUL, which no command can be given.", "Copy the command again.")
    return [word.decode("utf-8", "surrogateescape") for word in raw]


def refused(what: str, hint: str) -> KitError:
    """A command that cannot be used; `what` completes "The command …" and shows nothing of its values."""
    return UsageError(f"The command {what}", hint)


def _open_quotes() -> KitError:
    return refused("has quotes that are not closed.", "Copy the whole command, to its end.")


def _more_than_one() -> KitError:
    return refused(
        "is not the only one in the text.",
        "Give one command; a line that goes on in the next ends in a backslash.",
    )


class _Bash:
    """Reads one command as bash does (https://www.gnu.org/software/bash/manual/html_node/Quoting.html)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._words: list[str] = []
        self._pieces: list[str] = []  # of the word that is being read
        self._begun = False  # whether one is: '' is a word too
        self._to_file = False  # the next word is a redirection's file

    def words(self) -> list[str]:
        while self._at < len(self._text):
            if redirected := _REDIRECTED.match(self._text, self._at):
                self._redirect(redirected.end())
            elif self._text[self._at] not in "|&;\n":
                self._quoted_or_plain()
            elif self._ended():
                break
        self._end_word()
        return self._words

    def _quoted_or_plain(self) -> None:
        text, at = self._text, self._at
        char = text[at]
        if char in "<()":
            hint = "Quote what belongs to a value; give a body itself, and not from elsewhere."
            raise refused(f"holds a {char} outside of quotes.", hint)
        if char in " \t\r":
            self._end_word()
            self._at += 1
        elif char == "#" and not self._begun:
            end = text.find("\n", at)
            self._at = end if end >= 0 else len(text)
        elif not self._begun and _FOR_CMD.match(text, at):
            raise refused("is quoted for cmd.", 'Choose "Copy as cURL (bash)" in the browser\'s menu.')
        elif plain := _PLAIN.match(text, at):
            self._add(plain[0], plain.end())
        elif continued := _CONTINUED.match(text, at):
            self._at = continued.end()
        elif char == "\\":
            self._add(text[at + 1 : at + 2], at + 2)
        elif char == "'":
            end = text.find("'", at + 1)
            if end < 0:
                raise _open_quotes()
            self._add(text[at + 1 : end], end + 1)
        elif text.startswith("$'", at):
            self._ansi(at + 2)
        elif char == '"' or text.startswith('$"', at):
            self._double(text.index('"', at) + 1)
        else:
            self._dollar()

    def _add(self, piece: str, next_at: int) -> None:
        self._pieces.append(piece)
        self._begun, self._at = True, next_at

    def _end_word(self) -> None:
        if self._begun and self._to_file:
            self._to_file = False
        elif self._begun:
            self._words.append("".join(self._pieces))
        self._pieces, self._begun = [], False

    def _redirect(self, next_at: int) -> None:
        if "".join(self._pieces).isdigit():  # the 2 of `2>`
            self._pieces, self._begun = [], False
        self._end_word()
        self._to_file, self._at = True, next_at

    def _ended(self) -> bool:
        """Whether the command ends at this sign: a line's end before it does not end it."""
        text, at = self._text, self._at
        if text[at] == "&" and self._begun and text[at + 1 : at + 2].strip("&\r\n\t "):
            hint = "Put the address into quotes: 'https://…?a=1&b=2'."
            raise refused("has an & outside of quotes, which ends it.", hint)
        self._end_word()
        if text[at] == "\n" and not self._words:
            self._at += 1
            return False
        piped = text[at] == "|" and text[at + 1 : at + 2] != "|"
        lines = (line.strip() for line in text[at:].lstrip("|&;").splitlines())
        if not piped and any(line and not line.startswith("#") for line in lines):
            raise _more_than_one()
        return True

    def _dollar(self) -> None:
        if _EXPANDED.match(self._text, self._at):
            raise refused(
                "holds a variable or another command ($… or `…`), which only a shell can fill in.",
                "Write the value itself, or put what is meant literally into single quotes.",
            )
        self._add("$", self._at + 1)

    def _double(self, at: int) -> None:
        self._add("", at)
        while not self._text.startswith('"', self._at):
            if plain := _IN_DOUBLE.match(self._text, self._at):
                self._add(plain[0], plain.end())
            elif escaped := _DOUBLE_ESCAPED.match(self._text, self._at):
                self._add(escaped["char"] or "", escaped.end())
            elif self._text.startswith("\\", self._at):
                self._add("\\", self._at + 1)
            elif self._at < len(self._text):
                self._dollar()
            else:
                raise _open_quotes()
        self._at += 1

    def _ansi(self, at: int) -> None:
        self._add("", at)
        while not self._text.startswith("'", self._at):
            if plain := _IN_ANSI.match(self._text, self._at):
                self._add(plain[0], plain.end())
            elif escaped := _ANSI_ESCAPED.match(self._text, self._at):
                self._add(_unescaped(escaped), escaped.end())
            else:
                raise _open_quotes()
        self._at += 1


def _unescaped(escape: re.Match[str]) -> str:
    """What an escape of $'…' stands for; a byte over 127 as the lone surrogate that PEP 383 has for it."""
    octal, byte, high, low = escape["octal"], escape["byte"], escape["high"], escape["low"]
    if octal or byte:
        value = int(octal, 8) & 0xFF if octal else int(byte, 16)
        return bytes([value]).decode("utf-8", "surrogateescape")
    if high:  # a browser writes UTF-16
        return bytes.fromhex(high + low).decode("utf-16-be")
    if code := escape["short"] or escape["long"]:
        if int(code, 16) > 0x10FFFF:
            raise refused("has an escape that is no character.", "Copy the command again.")
        return chr(int(code, 16)).encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")
    if control := escape["control"]:
        return chr(ord(control) & 0x1F)
    other = escape["other"]
    return _ANSI_NAMED.get(other, other if other in "\\'\"?" else f"\\{other}")
