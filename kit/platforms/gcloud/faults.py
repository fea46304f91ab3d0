"""Why a line failed: one sentence and its remedy, from what the program printed. Pure.

The wordings that mean something for the kit are in `fault_rules.py` for gcloud, in `kubectl_rules.py` for
kubectl. All else is given in the program's own words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from kit.errors import Code
from kit.language import text
from kit.platforms.command import Command
from kit.platforms.gcloud import kubectl_rules
from kit.platforms.gcloud.fault_rules import LOOK, RULES, UPDATE, Rule
from kit.platforms.gcloud.output import clean
from kit.platforms.gcloud.retry import Again


@dataclass(frozen=True, slots=True)
class Fault:
    """What went wrong.

    Attributes:
        code: which of the closed list.
        message: one sentence.
        hint: the remedy, with the line to paste where there is one.
        again: whether trying again may help, and what stands in the way: Google's own trouble, or another
            operation.
        log: the end of what was printed, where that tells more.
    """

    code: Code
    message: str
    hint: str
    again: Again = "no"
    log: tuple[str, ...] = ()


_LOG_LINES: Final = 12
_LONGEST: Final = 300
_ERROR_CHARACTERS: Final = 20_000
_ERROR: Final = re.compile(
    r"ERROR: \(gcloud\.(?P<verb>[\w.-]+)\) (?P<answer>.*?)(?: This command is (?:un)?authenticated .*)?"
)
_RULES: Final = {
    program: tuple((re.compile(rule.pattern, re.IGNORECASE), rule) for rule in rules)
    for program, rules in {"gcloud": RULES, "kubectl": kubectl_rules.RULES}.items()
}
# How Kubernetes' programs log (k8s.io/klog): five such lines precede the error of a kubectl without a cache.
_LOGGED: Final = re.compile(r"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ [\w.]+:\d+\] .*")


def explain(command: Command, exit_status: int, stderr: str, stdout: str) -> Fault:
    """What a failed line means.

    Args:
        command: the line.
        exit_status: as a shell counts it: 128 + N after signal N.
        stderr: what it printed there, or the end of it.
        stdout: the same; empty for a line whose output is secret.
    """
    if command.program != "gcloud":
        stderr = "\n".join(line for line in stderr.splitlines() if not _LOGGED.fullmatch(clean(line)))
    said, verb = _said(stderr), _verb(command)
    if _is_absent(command, stderr):
        message = text(
            "`{verb}` did not find what it was to work on: {sentence}.", verb=verb, sentence=_sentence(said)
        )
        return Fault(Code.NOT_FOUND_IN_CLOUD, message, LOOK)
    lines = tuple(line for line in map(clean, f"{stdout}\n{stderr}".splitlines()) if line and "═" not in line)
    if exit_status > 128 and "ERROR: " not in stderr:
        said = ""
    own = text("`{verb}` failed: {sentence}.", verb=verb, sentence=_sentence(said))
    for pattern, rule in _RULES.get(command.program, ()):
        if pattern.search(said):
            return _fault(rule, command, own, f"{said}\n" + "\n".join(lines), lines)
    if not said:
        return _silent(verb, exit_status, lines)
    if exit_status == 2:
        return _usage(verb, said)
    hint = text("Correct what it names, or run the line by hand to see more.")
    return Fault(Code.GCLOUD_FAILED, own, hint, log=lines[-_LOG_LINES:])


def _is_absent(command: Command, stderr: str) -> bool:
    """Whether gcloud said, in its own words for this very line, that what it names does not exist.

    Only the first line of its error counts, whole, but for who asked, which gcloud adds to what an API said.
    Of another program all that it printed counts, its log apart.
    """
    if command.program != "gcloud":
        return clean(stderr.strip()) in command.absent
    errors = [error for line in stderr.splitlines() if (error := _ERROR.fullmatch(clean(line)))]
    if len(errors) != 1:
        return False
    verb = tuple(errors[0]["verb"].split("."))
    return command.words[: len(verb)] == verb and errors[0]["answer"] in command.absent


def _fault(rule: Rule, command: Command, own: str, everything: str, lines: tuple[str, ...]) -> Fault:
    # gcloud names the log of a build while it still runs, above its error.
    found = re.search(rule.find, everything, re.IGNORECASE) if rule.find else None
    region = _flag(command, "--region")
    names = {
        "verb": _verb(command),
        "project": _flag(command, "--project") or _described(command) or "PROJECT",
        "region": f" --region={region}" if region else "",
        "found": found[1] if found is not None else "",
    }
    whole = found is not None or not rule.find
    can_say = rule.message and (whole or "{found}" not in rule.message)
    return Fault(
        rule.code,
        text(rule.message, **names) if can_say else own,
        text(rule.hint, **names) if whole else text(rule.otherwise, **names),
        rule.again,
        lines[-_LOG_LINES:] if rule.log else (),
    )


def _verb(command: Command) -> str:
    words: list[str] = []
    for word in command.words[:4]:
        if not re.fullmatch(r"[a-z][a-z-]*", word):
            break
        words.append(word)
    return " ".join([command.program, *words[:3]])


def _flag(command: Command, name: str) -> str | None:
    """Its value, if it is a plain word."""
    for word, after in zip(command.words, (*command.words[1:], ""), strict=True):
        value = after if word == name else word.removeprefix(f"{name}=")
        if value != word and re.fullmatch(r"[\w.:-]+", value, re.ASCII):
            return value
    return None


def _described(command: Command) -> str | None:
    """The project of a line about projects, as `projects describe PROJECT`: it is no flag there."""
    group, _, rest = " ".join(command.words[:5]).partition("projects ")
    words = rest.split()
    return words[1] if group in ("", "billing ") and len(words) > 1 and words[1][0].isalpha() else None


def _said(stderr: str) -> str:
    """gcloud's error, from its last "ERROR:" on, in one line; all that it printed where there is none."""
    # A build's log, which may be on the screen as well, has errors of its own.
    starts = map(stderr.rfind, ("ERROR: (gcloud", "ERROR: gcloud", "ERROR: "))
    start = next((start for start in starts if start >= 0), max(len(stderr) - _ERROR_CHARACTERS, 0))
    text = " ".join(clean(stderr[start : start + _ERROR_CHARACTERS]).split())
    return re.sub(r"^(?:error|ERROR): (\(gcloud[^)]*\) ?)?", "", text)


def _sentence(said: str) -> str:
    """The first sentence of a text, shortened, without its full stop."""
    said = re.sub(r"^(?:[A-Z]+(?:_[A-Z]+)*: |ResponseError: code=\d+, message=)", "", said)
    first = re.split(r"(?<=[^\s.])[.!?](?=\s|$)", said, maxsplit=1)[0]
    first = re.sub(r"[.!?:;,]+(?=\s|$)", ",", first).strip(" ,")
    if len(first) > _LONGEST:
        first = f"{first[: _LONGEST - 1].rstrip(' .:;,!?')}…"
    return first or text("it did not say why")


def _silent(verb: str, status: int, lines: tuple[str, ...]) -> Fault:
    if status > 128:
        return Fault(
            Code.GCLOUD_FAILED,
            text("`{verb}` was ended from outside, by signal {status}.", verb=verb, status=status - 128),
            text("Run it again; if it was the system that ran out of memory, free some first."),
            log=lines[-_LOG_LINES:],
        )
    return Fault(
        Code.GCLOUD_FAILED,
        text("`{verb}` failed with status {status} and without a word.", verb=verb, status=status),
        text("Run the line by hand to see more, with --verbosity=debug at its end."),
        log=lines[-_LOG_LINES:],
    )


def _usage(verb: str, said: str) -> Fault:
    flag = re.search(r"unrecognized arguments?:? *(--[\w-]+)", said)
    what = (
        text("does not know {flag}", flag=flag[1])
        if flag
        else text("did not understand the kit ({sentence})", sentence=_sentence(said))
    )
    return Fault(
        Code.GCLOUD_FAILED,
        text("`{verb}` {what}, so this gcloud may be too old.", verb=verb, what=what),
        UPDATE,
    )
