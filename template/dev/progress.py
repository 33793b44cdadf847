"""One line that says how far it is: for a person at a terminal, and nothing where nobody watches."""

import sys


def show(text: str) -> None:
    """Replace the line."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def clear() -> None:
    """Take the line away, so that what is printed next begins at the left."""
    show("")
