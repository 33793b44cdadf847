"""Keeps one open issue for something that CI has found: opens it, or adds to the one that is open.

`python -m ops.issue "Infrastructure has drifted" "The run: https://…"`
"""

import json
import sys

from ops import program
from ops.command import IDENTITY
from ops.outcome import Outcome, RefusedError


def tell(title: str, text: str) -> None:
    """Open it, or add to it. Raises RefusedError."""
    repository = json.loads(IDENTITY.read_text())["repository"]
    listed = program.run(
        "gh", "issue", "list", "--repo", repository, "--state", "open", "--limit", "1000", "--json", "number,title"
    )
    numbers = [str(each["number"]) for each in json.loads(listed) if each["title"] == title]
    what = ["comment", numbers[0]] if numbers else ["create", "--title", title]
    print(program.run("gh", "issue", *what, "--repo", repository, "--body", text).strip())


def main(title: str, text: str) -> Outcome:
    """Tell whoever reads issues."""
    try:
        tell(title, text)
    except RefusedError as error:
        print(error, file=sys.stderr)
        return Outcome.REFUSED
    return Outcome.DONE


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
