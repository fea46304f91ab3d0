"""The exercises as a sheet to print, one side of A4 in each language: `python -m docs.sheet` writes
build/exercises.html and build/exercises.zh-CN.html, which a browser prints."""

from __future__ import annotations

from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("exercises", "exercises.zh-CN")

_PAGE = """<!doctype html>
<html lang="{language}"><meta charset="utf-8"><title>{title}</title>
<style>
@page {{ size: A4; margin: 10mm 12mm; }}
body {{ font: 9.5pt/1.3 system-ui, sans-serif; margin: 0 auto; max-width: 186mm; }}
h1 {{ font-size: 15pt; margin: 0; }}
h2 {{ font-size: 11pt; margin: 2.2mm 0 0; break-after: avoid; }}
p {{ margin: .6mm 0; }}
pre {{ margin: .6mm 0; padding: .6mm 1.5mm; background: #f2f0ea; white-space: pre-wrap; }}
code {{ font: 8pt/1.2 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }}
a {{ color: inherit; text-decoration: none; }}
</style>
<body>{body}</body></html>
"""


def sheet(text: str, language: str) -> str:
    """A sheet's HTML from its Markdown; the line of links below its title is left out."""
    title, _, rest = text.partition("\n")
    _, _, rest = rest.partition("\n")
    body = MarkdownIt().render(f"{title}\n\n{rest}")
    return _PAGE.format(language=language, title=title.removeprefix("# "), body=body)


def main() -> None:
    """Write them."""
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    for name in NAMES:
        text = (ROOT / "docs" / f"{name}.md").read_text("utf-8")
        language = "zh-CN" if "zh" in name else "en"
        (build / f"{name}.html").write_text(sheet(text, language), "utf-8")


if __name__ == "__main__":
    main()
