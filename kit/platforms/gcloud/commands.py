"""How a line of gcloud is put together, purely: where it goes, and whether it reads or changes."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, count
from typing import Final

from kit.platforms.command import Command
from kit.platforms.service import Place

# gcloud reads `^X^a=1Xb=2` as a list whose parts are split at X, one character or several (`gcloud topic
# escaping`).
_DELIMITERS: Final = ":;|#@%+~/!?$&*"


def read(place: Place, *words: str, absent: tuple[str, ...] = ()) -> Command:
    """A line that changes nothing, and answers in JSON; `absent` as in `Command`."""
    return Command((*words, *_where(place), "--format=json"), absent=absent)


def change(place: Place, *words: str, absent: tuple[str, ...] = ()) -> Command:
    """A line that creates, changes or removes what it names, and so is repeatable; see `Command`."""
    return Command((*words, *_where(place)), changes=True, repeatable=True, absent=absent)


def pairs(values: Mapping[str, str]) -> str:
    """The value of a flag that takes NAME=VALUE several times, whatever the values hold."""
    texts = [f"{name}={value}" for name, value in values.items()]
    together = "".join(texts)
    # What begins with a circumflex would be taken for the naming of a delimiter.
    if "," not in together and not together.startswith("^"):
        return ",".join(texts)
    longer = (f"~{number}~" for number in count())
    fits = next(each for each in chain(_DELIMITERS, longer) if each.join(texts).split(each) == texts)
    return f"^{fits}^{fits.join(texts)}"


def _where(place: Place) -> tuple[str, ...]:
    region = () if place.region is None else (f"--region={place.region}",)
    return (*region, f"--project={place.project}", "--quiet")
