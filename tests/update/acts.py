"""What owners do to a service between two updates. Each act says in a sentence what it did, or None: it cannot here."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.update.histories import append

Act = Callable[[Path, Random], str | None]
ACTS: dict[str, Act] = {}
YOURS = re.compile(r"^.*yours: add below this line.*\n", re.MULTILINE)


def act(function: Act) -> Act:
    ACTS[function.__name__] = function
    return function


def number(random: Random) -> int:
    return random.randrange(10_000, 100_000)


def insert(file: Path, place: int, text: str) -> None:
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[:place], text, *lines[place:]]))


def ours(service: Path, pattern: str, random: Random) -> Path | None:
    """Return one of the files that the template keeps changing."""
    found = [
        file
        for file in sorted(service.glob(pattern))
        if file.is_file() and ".git" not in file.parts and "orders" not in file.parts and "versions" not in file.parts
    ]
    return random.choice([file for file in found if file.stat().st_size > 200] or [None])


@act
def route(service: Path, random: Random) -> str:
    name = f"things_{number(random)}"
    files = ["src/app/orders/api.py", "src/app/routes.py"]
    file = service / random.choice([file for file in files if (service / file).is_file()])
    if file.name == "routes.py":
        append(service / f"src/app/{name}/__init__.py", '"""Ours."""\n')
        append(
            service / f"src/app/{name}/api.py",
            '"""Routes."""\n\nfrom fastapi import APIRouter\n\nrouter = APIRouter()\n',
        )
        text = file.read_text()
        text = re.sub(
            r"^(from app\.\w+\.api import .*\n)",
            rf"\1from app.{name}.api import router as {name}\n",
            text,
            count=1,
            flags=re.MULTILINE,
        )
        file.write_text(re.sub(r"routers = \[", f"routers = [{name}, ", text))
    else:
        append(
            file,
            f'\n\n@router.get("/{name}")\nasync def {name}() -> dict[str, str]:\n    """Ours."""\n    return {{}}\n',
        )
    return f"add the route /{name} in {file.relative_to(service)}"


@act
def route_in_ours(service: Path, random: Random) -> str:
    name = f"things_{number(random)}"
    file = service / "src/app/chassis/http/health.py"
    append(
        file, f'\n\n@router.get("/{name}")\nasync def {name}() -> dict[str, str]:\n    """Ours."""\n    return {{}}\n'
    )
    return f"add the route /{name} in {file.relative_to(service)}"


@act
def table(service: Path, random: Random) -> str:
    name = f"invoices_{number(random)}"
    append(service / f"src/app/{name}/__init__.py", '"""Ours."""\n')
    append(service / f"src/app/{name}/models.py", f'"""Tables."""\n\nTABLE = "{name}"\n')
    append(
        service / f"migrations/versions/20270101_{name}.py",
        f'"""Create {name}."""\n\nrevision = "{name[-5:]}"\ndown_revision = "848d4f37ea1e"\n',
    )
    return f"add the table {name} and its migration"


@act
def setting(service: Path, random: Random) -> str:
    name = f"threshold_{number(random)}"
    file = service / "src/app/settings.py"
    file.write_text(re.sub(r'(class Settings\(.*\n    """.*"""\n)', rf"\1\n    {name}: int\n", file.read_text()))
    append(service / ".env.example", f"{name.upper()}=5\n")
    return f"add the setting {name}"


@act
def dependency(service: Path, random: Random) -> str:
    name, file = f"library-{number(random)}", service / "pyproject.toml"
    places = list(YOURS.finditer(file.read_text()))
    place = random.choice([each.end() for each in places])
    text = file.read_text()
    file.write_text(f'{text[:place]}    "{name}>=1.0",\n{text[place:]}')
    return f"depend on {name}"


@act
def bound(service: Path, random: Random) -> str:
    """Not below the line, but in it."""
    file = service / "pyproject.toml"
    found = random.choice(re.findall(r'^    "[\w\[\]-]+>=[\d.]+",\n', file.read_text(), re.MULTILINE))
    file.write_text(file.read_text().replace(found, found.replace('",', ',<99",'), 1))
    return f"bound {found.strip()} from above"


@act
def registration(service: Path, random: Random) -> str | None:
    name = f"THING_{number(random)}"
    files = {
        "src/app/metrics.py": f'{name} = counter("things.{name.lower()}", "Ours.")\n',
        "src/app/objectives.py": f'\nobjectives.append(Latency("{name.lower()}", "Ours.", target=0.9, seconds=1))\n',
        "src/app/flags.py": f'\n{name} = Flag("{name.lower()}", default=False, description="")\nflags.append({name})\n',
        "src/app/upstreams.py": f'\n{name} = "https://example.com"\n',
    }
    file = random.choice([file for file in files if (service / file).is_file()] or [None])
    if not file:
        return None
    append(service / file, files[file])
    return f"register {name} in {file}"


@act
def job(service: Path, random: Random) -> str | None:
    if not (service / "src/app/worker.py").is_file():
        return None
    name = f"remind_{number(random)}"
    append(service / f"src/app/{name}/__init__.py", '"""Ours."""\n')
    append(
        service / f"src/app/{name}/jobs.py",
        f'"""Jobs."""\n\nfrom app.chassis.jobs.job import job\n\n__all__ = ["job"]\n\nNAME = "{name}"\n',
    )
    return f"add the job {name}"


@act
def terraform(service: Path, random: Random) -> str | None:
    if not (service / "infra/service").is_dir():
        return None
    name = f"extra_{number(random)}"
    resource = f'resource "aws_sqs_queue" "{name}" {{\n  name = "{name}"\n}}\n'
    file = random.choice(["infra/service/extra.tf", "infra/service/alarms.tf", "infra/prod/terraform.tfvars"])
    if file.endswith("tfvars"):
        text = (service / file).read_text()
        (service / file).write_text(re.sub(r"= (\d+)\b", lambda found: f"= {int(found[1]) + 1}", text, count=1))
    else:
        append(service / file, ("\n" if (service / file).exists() else "") + resource)
    return f"change {file} for {name}"


@act
def alarm(service: Path, random: Random) -> str | None:
    """As docs/ownership.md says: both halves of it, or the service's own tests are red."""
    if not (service / "infra/service").is_dir():
        return None
    name, runbook = f"things-{number(random)}", service / "docs/runbook.md"
    extra = service / "infra/service/extra.tf"
    append(
        extra,
        ("\n" if extra.exists() else "")
        + f"""resource "aws_cloudwatch_metric_alarm" "{name}" {{
  alarm_name          = "${{local.name}}-{name}"
  alarm_description   = "Things pile up. ${{local.runbook}}{name}"
  namespace           = local.metrics
  metric_name         = "{name}"
  statistic           = "Sum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = {number(random)}
  period              = 300
  evaluation_periods  = 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.main["warn"].arn]
  ok_actions          = [aws_sns_topic.main["warn"].arn]
  tags                = {{ tier = "warn" }}
}}
""",
    )
    append(
        runbook,
        f"""
### {name}

Things pile up. *warn*

```sh
make probe ENVIRONMENT=prod
```

- **Tell**: does anything take them away?
- **Do**: take them away.
- **Over**: the alarm's end arrives.
""",
    )
    return f"add the alarm {name} and its entry in the runbook"


@act
def workflow(service: Path, random: Random) -> str:
    name, file = f"job-{number(random)}", service / ".github/workflows/ci.yml"
    runs = (
        f"    runs-on: ubuntu-24.04\n    timeout-minutes: 5\n    steps:\n      - name: Say\n        run: echo {name}\n"
    )
    steps = f"    name: {name}\n{runs}"
    if file.is_file() and random.random() < 0.6:
        append(file, f"  {name}:\n{steps}")
    else:
        file = file.with_name(f"{name}.yml")
        append(file, f"name: {name}\non: push\njobs:\n  {name}:\n{steps}")
    return f"add the workflow job {name} to {file.name}"


@act
def step(service: Path, random: Random) -> str | None:
    file = ours(service, ".github/workflows/*.yml", random)
    if not file:
        return None
    places = [number + 1 for number, line in enumerate(file.read_text().splitlines()) if line == "    steps:"]
    name = f"Say {number(random)}"
    insert(file, random.choice(places), f"      - name: {name}\n        run: echo\n")
    return f"add a step to {file.name}"


@act
def rename_the_domain(service: Path, random: Random) -> str | None:
    name = f"purchases_{number(random)}"
    if not (service / "src/app/orders").is_dir():
        return None
    for folder in ("src/app", "tests"):
        (service / folder / "orders").rename(service / folder / name)
    for file in [
        *service.glob(f"src/app/{name}/**/*.py"),
        service / "src/app/routes.py",
        *service.glob(f"tests/{name}/**/*.py"),
    ]:
        file.write_text(file.read_text().replace("app.orders", f"app.{name}"))
    return f"rename the domain to {name}"


@act
def delete(service: Path, random: Random) -> str | None:
    patterns = [
        *("AGENTS.md", "docs/*.md", "dev/load.py", "dev/soak.py", "compose.yaml", ".squawk.toml"),
        *("tests/chassis/test_*.py", "src/app/chassis/upstream/*.py"),
        *("infra/service/dashboard.tf", ".github/workflows/*.yml"),
    ]
    file = random.choice(
        [each for pattern in patterns for each in sorted(service.glob(pattern)) if each.name != "ownership.md"]
        or [None]
    )
    if not file:
        return None
    file.unlink()
    return f"delete {file.relative_to(service)}"


@act
def reformat(service: Path, random: Random) -> str | None:
    file = ours(service, random.choice(["src/app/**/*.py", "tests/*.py", "dev/*.py"]), random)
    if not file:
        return None
    command = [
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--isolated",
        "--no-cache",
        "--quiet",
        "--line-length",
        "80",
        str(file),
    ]
    subprocess.run(command, check=True)
    return f"reformat {file.relative_to(service)}"


@act
def move(service: Path, random: Random) -> str | None:
    file = ours(
        service, random.choice(["docs/*.md", "dev/*.py", "src/app/chassis/**/*.py", "tests/chassis/test_*.py"]), random
    )
    if not file or file.name == "ownership.md":
        return None
    target = file.with_name("moved") / file.name
    target.parent.mkdir(exist_ok=True)
    file.rename(target)
    return f"move {file.relative_to(service)} to {target.relative_to(service)}"


@act
def edit_python(service: Path, random: Random) -> str | None:
    """In the middle of what is ours."""
    file = ours(service, random.choice(["src/app/**/*.py", "dev/*.py", "tests/**/*.py", "migrations/*.py"]), random)
    if not file:
        return None
    texts = file.read_text().splitlines()
    places = [place for place, line in enumerate(texts) if re.match(r"    (return|await|assert|for|if|with)\b", line)]
    if not places:
        return None
    insert(file, random.choice(places), f"    # Ours: {number(random)}.\n")
    return f"edit {file.relative_to(service)} in place"


@act
def edit_number(service: Path, random: Random) -> str | None:
    file = ours(
        service, random.choice(["src/app/chassis/**/*.py", "dev/*.py", "infra/service/*.tf", "Dockerfile"]), random
    )
    if not file:
        return None
    found = list(re.finditer(r"= (\d+)\b", file.read_text()))
    if not found:
        return None
    chosen, text = random.choice(found), file.read_text()
    file.write_text(f"{text[: chosen.start(1)]}{number(random)}{text[chosen.end(1) :]}")
    return f"change a number in {file.relative_to(service)}"


@act
def dependabot(service: Path, random: Random) -> str | None:
    """Pins move on: actions by commit and images by digest."""
    done = None
    pin = re.compile(r"(?P<action>[\w-]+/[\w-]+)(?P<path>[\w/-]*)@[0-9a-f]{40} # v(?P<major>\d+)\.(?P<minor>\d+)\.\d+")
    commits: dict[str, str] = {}  # an action moves everywhere at once
    for file in sorted(service.glob(".github/workflows/*.yml")):
        text = pin.sub(
            lambda found: (
                f"{found['action']}{found['path']}@{commits.setdefault(found['action'], random.randbytes(20).hex())}"
                f" # v{found['major']}.{int(found['minor']) + 1}.0"
            ),
            file.read_text(),
        )
        done = done or (text != file.read_text())
        file.write_text(text)
    file = service / "Dockerfile"
    if file.is_file():
        text = re.sub(r"sha256:[0-9a-f]{64}", lambda _: f"sha256:{random.randbytes(32).hex()}", file.read_text())
        done = done or text != file.read_text()
        file.write_text(text)
    return "bump pins as Dependabot does" if done else None


@act
def write_documents(service: Path, random: Random) -> str | None:
    patterns = [
        "docs/runbook.md",
        "docs/runbook/*.md",
        "docs/incidents/*.md",
        "legal/*.md",
        "docs/*.md",
        "README.md",
        "AGENTS.md",
    ]
    file = random.choice(
        [each for pattern in patterns for each in sorted(service.glob(pattern)) if each.name != "ownership.md"]
    )
    append(file, f"\n## Our own words {number(random)}\n\nDeploys wait for the anchor.\n")
    return f"write into {file.relative_to(service)}"


@act
def reword(service: Path, random: Random) -> str | None:
    file = random.choice(
        [
            each
            for each in sorted(service.glob("*.md")) + sorted(service.glob("docs/*.md"))
            if each.name != "ownership.md"
        ]
    )
    texts = file.read_text().splitlines(keepends=True)
    places = [place for place, line in enumerate(texts) if re.match(r"[A-Z].{40,}", line)]
    if not places:
        return None
    place = random.choice(places)
    texts[place] = f"Ours {number(random)}: {texts[place]}"
    file.write_text("".join(texts))
    return f"reword a line of {file.relative_to(service)}"


@act
def command(service: Path, random: Random) -> str:
    name = f"ours-{number(random)}"
    file = service / random.choice(["Makefile", "Makefile.local"])
    append(file, f"\n{name}: ## Ours\n\t@echo {name}\n")
    return f"add the command {name} to {file.name}"


@act
def small_files(service: Path, random: Random) -> str | None:
    lines = {".gitignore": "/ours-{}/\n", ".dockerignore": "ours-{}\n", ".github/CODEOWNERS": "/ours-{}/ @acme/ours\n",
             ".github/dependabot.yml": "# ours {}\n", "readiness/attestations.toml": "# ours {}\n"}  # fmt: skip
    name = random.choice([name for name in lines if (service / name).is_file()])
    append(service / name, lines[name].format(number(random)))
    return f"add a line to {name}"


@act
def same_name(service: Path, random: Random) -> str:
    """A file of the owner's where a later release puts one of its own."""
    file = random.choice(["docs/novelty_1.md", "src/app/chassis/novelty_2.py", "dev/rituals.mk", "docs/rituals.md"])
    if (service / file).exists():
        return f"leave {file} as it is"
    append(service / file, f"# Ours {number(random)}\n")
    return f"write {file}, which the template does not have yet"


def notes(service: Path, random: Random) -> str:
    """Where documents say so, or are the owner's; what else is in docs/ is ours."""
    candidates = [*sorted(service.glob("docs/*.md")), service / "README.md"]
    theirs = [each for each in candidates if each.name != "ownership.md" and YOURS.search(each.read_text())]
    file = random.choice([*theirs, *sorted(service.glob("legal/*.md")), service / "docs/our-notes.md"])
    append(file, f"\n## Our own words {number(random)}\n\nDeploys wait for the anchor.\n")
    return f"write into {file.relative_to(service)}"


POLITE = [route, table, setting, dependency, registration, job, alarm, notes, small_files]
"""What docs/ownership.md in a service says how to do."""
