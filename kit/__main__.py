"""`python -m kit`, for environments whose bin folder is not on PATH."""

from kit.cli import main

if __name__ == "__main__":
    main()
