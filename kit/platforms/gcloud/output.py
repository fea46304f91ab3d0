"""gcloud's output, made fit for a screen, a log and a person: lines without control codes or tokens."""

from __future__ import annotations

import codecs
import re
import unicodedata

# CSI and OSC sequences, then any other escape: https://www.ecma-international.org/publications/standards/Ecma-048
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[ -/]*[0-~]?")
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, bidi marks, surrogates, odd line ends
_SECRETS = (
    # Google's access and refresh tokens, API keys, and JSON Web Tokens
    re.compile(r"ya29\.[\w.-]+|\b1//[\w-]{16,}|AIza[\w-]{30,}|eyJ[\w-]{8,}(?:\.[\w-]+)+"),
    re.compile(r"(?<=bearer )\s*[^\s\[]\S*", re.IGNORECASE),
    re.compile(r"(?<=_token)([\"']?\s*[:=]\s*[\"']?)[^\s\"'\[]+", re.IGNORECASE),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*"),
)
_HIDDEN = "[hidden]"
_BREAK = re.compile(r"\r\n|\r|\n")
_DOTS = re.compile(r"\.{4,}")
_LONGEST = 4_000


def clean(text: str) -> str:
    """One line, without escape sequences, control characters or what looks like a token.

    Line ends within it become spaces.
    """
    text = _ANSI.sub("", text)
    text = "".join(
        " " if char in "\t\n\r\v\f\u2028\u2029" else char
        for char in text
        if char in "\t\n\r\v\f\u2028\u2029" or unicodedata.category(char) not in _INVISIBLE
    )
    for pattern in _SECRETS:
        text = pattern.sub(lambda match: (match[1] if match.re.groups else "") + _HIDDEN, text)
    return text.rstrip()


class Lines:
    """Cuts bytes, as they come, into clean lines. A carriage return ends a line as well.

    Attributes:
        open: the line that has begun and not ended, as it is now.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._open = ""

    def feed(self, data: bytes, *, final: bool = False) -> list[str]:
        """The lines that have ended with this; empty ones too. `final` ends the last one."""
        text = self._open + self._decoder.decode(data, final)
        held = ""
        if text.endswith("\r") and not final:
            text, held = text[:-1], "\r"  # perhaps half of a CR LF
        *ended, rest = _BREAK.split(text)
        rest += held
        if len(rest) > _LONGEST or (final and rest):
            ended.append(rest)
            rest = ""
        self._open = rest
        return [clean(line[:_LONGEST]) for line in ended]

    @property
    def open(self) -> str:
        return clean(self._open)


def progress(line: str) -> str:
    """A line for a person to glance at; empty where it tells nothing.

    gcloud's growing row of dots stays three dots long, and the frame around its upload is left out.
    """
    text = _DOTS.sub("...", line.strip(" ═║╔╗╚╝╠╣|#+-")).removeprefix("...").lstrip(".").strip()
    return "" if text.strip(".").lower() == "done" else text
