"""A Typer app with one command, as small as it gets.

Without rich, as ours is: with it, its help takes three times as long.
"""

import typer

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def hello(name: str) -> None:
    """Greet."""
    print(f"hello {name}")


if __name__ == "__main__":
    app()
