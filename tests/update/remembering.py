"""Copier, which remembers what it has cloned and rendered: hundreds of updates in the time of a few.

Only what depends on a release and its answers is remembered. The merge is Copier's own, with git, in every update; that
the result is the same without a memory is tested. Run as a program, it is Copier's command line.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import copier._main
import copier._template
from copier._main import Worker
from jinja2 import Environment

MEMORY = "COPIER_MEMORY"
"""The environment variable that names the folder."""


def once(name: str, make: Callable[[Path], Any]) -> Path:
    """Return the folder of this name, which several processes may want to make at once."""
    memory = Path(os.environ[MEMORY])
    folder = memory / hashlib.sha256(name.encode()).hexdigest()
    if not folder.exists():
        memory.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=memory))
        make(made)
        try:
            made.rename(folder)
        except OSError:  # another one was faster
            shutil.rmtree(made)
    return folder


@contextlib.contextmanager
def remembered() -> Iterator[None]:
    """Give this process's Copier a memory."""
    clone = copier._template.clone  # type: ignore[attr-defined]
    compile_ = Environment.compile
    load, render = copier._template.load_template_config, Worker._render_template

    def cloned(url: str, ref: str = "HEAD", location: str | None = None) -> str:
        if not Path(url).is_dir() or ref == "HEAD":
            return clone(url, ref, location)
        command = ["git", "-C", url, "rev-parse", f"{ref}^{{commit}}"]
        commit = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return str(once(f"{url} {commit}", lambda made: clone(url, ref, str(made))))

    def rendered(self: Worker) -> None:
        if not self.template.commit_hash or self.vcs_ref == "HEAD" or self.pretend:
            return render(self)
        answers = {name: value for name, value in self.answers.combined.items() if not name.startswith("_")}
        operation = copier._main._operation.get()
        name = [self.template.url, self.template.commit_hash, answers, list(self.all_exclusions), operation]

        def make(made: Path) -> None:
            worker = replace(self, dst_path=made, quiet=True)
            worker.answers = self.answers
            worker.__dict__["template"] = self.template  # an update finds it in the service, which is not here
            render(worker)

        source = once(json.dumps(name, default=str), make)

        def skipped(folder: str, names: list[str]) -> set[str]:
            below = Path(folder).relative_to(source)
            return {
                each for each in names if (self.dst_path / below / each).is_file() and self.match_skip(below / each)
            }

        shutil.copytree(source, self.dst_path, dirs_exist_ok=True, ignore=skipped)
        return None

    codes: dict[tuple[object, ...], Any] = {}

    def compiled(self: Environment, source: Any, *arguments: Any, **named: Any) -> Any:
        # The same text comes by a thousand times: each part of each path, each item of a list.
        key = (
            source,
            arguments,
            tuple(named.items()),
            self.block_start_string,
            self.variable_start_string,
            self.undefined,
        )
        if not isinstance(source, str):
            return compile_(self, source, *arguments, **named)
        if key not in codes:
            codes[key] = compile_(self, source, *arguments, **named)
        return codes[key]

    copier._template.clone = cloned  # type: ignore[attr-defined]
    copier._template.load_template_config = lru_cache(load)
    Worker._render_template = rendered  # type: ignore[method-assign]
    Environment.compile = compiled  # type: ignore[method-assign]
    try:
        yield
    finally:
        copier._template.clone = clone  # type: ignore[attr-defined]
        copier._template.load_template_config = load
        Worker._render_template = render  # type: ignore[method-assign]
        Environment.compile = compile_  # type: ignore[method-assign]


if __name__ == "__main__":
    from copier.cli import CopierApp

    with remembered():
        sys.exit(CopierApp.run(["copier", *sys.argv[1:]], exit=False)[1])
