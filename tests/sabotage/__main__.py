"""`make sabotage`: breaks services in every way of the catalogue, and sees each caught. `python -m tests.sabotage --help`."""

import argparse
import contextlib
import os
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests import services
from tests.conftest import ROOT, providers_file
from tests.sabotage import page
from tests.sabotage.catalogue import AREAS
from tests.sabotage.run import Caught, Shipyard, is_command, run_all


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sabotage", description=__doc__)
    jobs = (os.cpu_count() or 1) + 1  # much of what tests do is wait
    parser.add_argument("-j", "--jobs", type=int, default=jobs, help="how many at the same time")
    parser.add_argument("--row", action="append", help="only this row (more than one: again)")
    parser.add_argument("--area", action="append", choices=AREAS, help="only those of a module in tests/sabotage")
    parser.add_argument("--sample", type=int, help="only so many, taken by chance")
    parser.add_argument("--gates", action="store_true", help="the whole `make check` too, of a tenth taken by chance")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of that chance")
    parser.add_argument("--keep", type=Path, help="folder for the services, used again the next time")
    parser.add_argument("--again", action="store_true", help="do not try the unbroken service first")
    parser.add_argument("--write", action="store_true", help="write docs/sabotage.md")
    arguments = parser.parse_args()

    chance = random.Random(arguments.seed)  # noqa: S311
    chosen = [
        each
        for area in arguments.area or AREAS
        for each in AREAS[area]
        if not arguments.row or each.row in arguments.row
    ]
    if arguments.sample:
        chosen = chance.sample(chosen, min(arguments.sample, len(chosen)))
    # A tenth of the promises, one sabotage of each.
    rows = sorted({each.row for each in chosen})
    gated = chance.sample(rows, max(1, len(rows) // 10)) if arguments.gates else []
    by_gate = [[each for each in chosen if each.row == row and not is_command(each)] for row in gated]
    gates = frozenset(chance.choice(each) for each in by_gate if each)
    with tempfile.TemporaryDirectory(prefix="sabotage-") as temporary, contextlib.ExitStack() as stack:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        terraform = providers_file(Path(temporary))
        if shutil.which("terraform") is None or not terraform:
            infra = [each for each in chosen if each.tests.startswith("tests/infra")]
            chosen = [each for each in chosen if each not in infra]
            print(f"Terraform is not here: {len(infra)} sabotages of infra/ are left out")
        began = time.monotonic()
        shipyard = stack.enter_context(Shipyard(_committed(Path(temporary)), folder, {"TF_CLI_CONFIG_FILE": terraform}))
        red = {} if arguments.again else shipyard.red(chosen)
        for service, row in red:
            print(
                f"! {row} is red in the service {service} before anything is broken: its sabotage would prove nothing"
            )
        if red:
            print(*set(red.values()))
        chosen = [each for each in chosen if (each.service, each.row) not in red]
        print(
            f"{len(chosen)} sabotages; the unbroken service was tried in {time.monotonic() - began:.0f} s; seed {arguments.seed}"
        )
        found = run_all(shipyard, chosen, arguments.jobs, lambda caught: _tell(caught, len(chosen)), gates)
        seconds = time.monotonic() - began
    if arguments.write:
        (ROOT / "docs/sabotage.md").write_text(page.page(found, seconds))
    missed = [each for each in found if each.problem]
    print(f"\n{len(found) - len(missed)} of {len(found)} caught, named and placed, in {seconds / 60:.1f} minutes")
    for each in missed:
        print(f"! {each.sabotage.row}: {each.sabotage.what}: {each.problem.splitlines()[0]}")
    return 1 if missed or red else 0


_told = 0


def _tell(caught: Caught, total: int) -> None:
    global _told
    _told += 1
    mark = "!" if caught.problem else "+"
    by = caught.problem or caught.by
    print(
        f"{mark} {_told}/{total} {caught.sabotage.row}: {caught.sabotage.what}: {by} {caught.seconds:.0f} s", flush=True
    )


def _committed(folder: Path) -> Path:
    """The working tree as a template: what is broken is what is here now."""
    copy = folder / "template"
    for name in services.git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    services.commit(copy, "The working tree")
    return copy


if __name__ == "__main__":
    os.environ.pop("MAKEFLAGS", None)
    sys.exit(main())
