"""The environment of development and tests, from files that production never reads."""

import os
from pathlib import Path

from dotenv import dotenv_values

PROJECT = Path(__file__).resolve().parent.parent


def load(*files: str) -> None:
    """Put the values into this process's environment: a later file overrides an earlier one, and the shell all of them.

    An empty value counts as not set.
    """
    values = {name: value for file in files for name, value in dotenv_values(PROJECT / file).items()}
    os.environ.update({name: value for name, value in (values | os.environ).items() if value})
