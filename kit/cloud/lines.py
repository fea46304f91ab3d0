"""How a line of gcloud is put together, purely: where it goes, and whether it reads or changes."""

from __future__ import annotations

from collections.abc import Mapping

from kit.cloud.host import Command, Place

# gcloud reads `^X^a=1Xb=2` as a list whose parts are split at X (`gcloud topic escaping`).
_DELIMITERS = ":;|#@%+~/!?$&*"


def read(place: Place, *words: str) -> Command:
    """A line that changes nothing, and answers in JSON."""
    return Command((*words, *_where(place), "--format=json"))


def change(place: Place, *words: str) -> Command:
    """A line that creates, changes or removes something."""
    return Command((*words, *_where(place)), changes=True)


def pairs(values: Mapping[str, str]) -> str:
    """The value of a flag that takes NAME=VALUE several times, whatever the values hold.

    Raises:
        ValueError: they hold every character that could stand between them.
    """
    texts = [f"{name}={value}" for name, value in values.items()]
    together = "".join(texts)
    # What begins with a circumflex would be taken for the naming of a delimiter.
    if "," not in together and not together.startswith("^"):
        return ",".join(texts)
    free = next((char for char in _DELIMITERS if char not in together), None)
    if free is None:
        raise ValueError("no character is left to stand between the values")
    return f"^{free}^{free.join(texts)}"


def _where(place: Place) -> tuple[str, ...]:
    region = () if place.region is None else (f"--region={place.region}",)
    return (*region, f"--project={place.project}", "--quiet")
