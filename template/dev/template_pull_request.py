"""The template's newest release as a pull request: what `.github/workflows/template-update.yml` does every week.

`commit` updates and commits the result to a branch of its own; it runs what the template brings, and needs no token.
`open` pushes that branch and opens the pull request with the token that `gh` finds in GH_TOKEN. Where the service and
the template changed the same lines, the pull request is a draft whose title and text say so; the markers are in its
branch for a person to resolve there, and CI stays red until they are gone.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PREFIX = "template-update/"
MARKER = "^<<<<<<< before updating"
CONFLICTS, CHECK_FAILED = 1, 3
# What the pull request says of the update's exit code.
VERDICTS = {
    0: "`make check` is green.",
    CONFLICTS: "**Not ready: the service and the template changed the same lines.** Resolve them on this branch.",
    CHECK_FAILED: "**Not ready: `make check` fails.** Repair what it names on this branch.",
}
IDENTITY = ["-c", "user.name=template-update", "-c", "user.email=template-update@users.noreply.github.com"]


def main(step: str) -> int:
    return {"commit": commit, "open": open_pull_request}[step]()


def commit() -> int:
    """Update, and commit to a new branch. Returns 0 where there was nothing to do too, and the code of a failure."""
    update = [sys.executable, "-m", "dev.template_update"]
    ran = subprocess.run(update, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(ran.stdout, flush=True)
    if ran.returncode not in VERDICTS:
        return ran.returncode
    if not git("status", "--porcelain"):
        return 0
    version = re.findall(r"^_commit: *(\S+)$", Path(".copier-answers.yml").read_text(encoding="utf-8"), re.MULTILINE)[0]
    git("switch", "--quiet", "--create", f"{PREFIX}{version}")
    git("add", "--all")
    subject = f"Template {version}" + (": not ready" if ran.returncode else "")
    text = f"{VERDICTS[ran.returncode]}\n\n```\n{plain(ran.stdout)}\n```"
    # Without the hooks: they would refuse what a person is to see.
    git(*IDENTITY, "commit", "--quiet", "--no-verify", "--message", subject, "--message", text)
    return 0


def open_pull_request() -> int:
    """Push the branch that `commit` made, if it made one, and open its pull request, unless it is there already."""
    branch = git("branch", "--show-current")
    if not branch.startswith(PREFIX):
        print("Nothing to do.")
        return 0
    credentials = ["-c", "credential.helper=", "-c", "credential.helper=!gh auth git-credential"]
    if git(*credentials, "ls-remote", "--heads", "origin", branch):
        print(f"{branch} is there already: its pull request is waiting for a person.")
        return 0
    git(*credentials, "push", "--quiet", "origin", f"HEAD:refs/heads/{branch}")
    title, _, body = git("log", "-1", "--format=%B").partition("\n\n")
    ready = VERDICTS[0] in body and not git("grep", "--files-with-matches", MARKER, "HEAD", accept=(0, 1))
    command = ["gh", "pr", "create", "--head", branch, "--title", title, "--body-file", "-"]
    return subprocess.run([*command, *([] if ready else ["--draft"])], input=body, text=True, check=False).returncode


def plain(output: str) -> str:
    """Return what the update said, short enough for GitHub and not able to end the block it stands in."""
    return output.replace("```", "'''").strip()[-20_000:]


def git(*arguments: str, accept: Sequence[int] = (0,)) -> str:
    ran = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    if ran.returncode not in accept:
        sys.exit(f"git {' '.join(arguments)}: {ran.stderr.strip()}")
    return ran.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
