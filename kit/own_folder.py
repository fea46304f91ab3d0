"""Folders that the kit makes in a user's own: git passes over what is in them."""

from __future__ import annotations

from pathlib import Path


def make(folder: Path) -> None:
    """Make it, if need be; one that was there before is left as it is. Raises OSError."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitignore").write_text("*\n", encoding="utf-8")
