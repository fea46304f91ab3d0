from __future__ import annotations

import pytest

from kit.cli.output import Console


def test_a_line_of_gcloud_is_shown_in_its_place_within_a_picture_and_beside_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console = Console(as_json=True)
    console.echo("gcloud before")
    with console.steps("Looking."):
        console.echo("gcloud within")
    console.echo("gcloud after")
    assert capsys.readouterr().err.splitlines() == [
        "$ gcloud before",
        "Looking.",
        "$ gcloud within",
        "$ gcloud after",
    ]
