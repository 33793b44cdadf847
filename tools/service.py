"""`make service`: write a service, or say of each thing that is wrong what to do."""

import os
import sys
from pathlib import Path
from typing import Any

import copier
import yaml
from copier.errors import CopierError
from plumbum import ProcessExecutionError

ROOT = Path(__file__).parents[1]


def main(destination: str, answers_file: str, source: str) -> None:
    if not destination:
        sys.exit("Say where the service goes: make service DEST=../my-service")
    folder = Path(destination).expanduser()
    if folder.resolve().is_relative_to(ROOT):
        sys.exit(f"{folder} is inside the template. Choose a folder beside it: make service DEST=../my-service")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        sys.exit(f"{folder} is not an empty folder, and nothing in it is overwritten: choose another one.")

    answers = read_answers(answers_file)
    # This clone as it stands; of another template, its newest release.
    template: dict[str, Any] = {"src_path": source} if source else {"src_path": str(ROOT), "vcs_ref": "HEAD"}
    template |= {"dst_path": folder, "defaults": True}
    try:
        if problems := refusals(answers, template):
            sys.exit("\n".join(problems))
        copier.run_copy(**template, data=answers)
    except (CopierError, ProcessExecutionError, ValueError) as error:
        sys.exit(f"No service was written from {template['src_path']}: {error}")


def read_answers(file: str) -> dict[str, Any]:
    if not file:
        return {}
    try:
        answers = yaml.safe_load(Path(file).expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        sys.exit(f"{file} cannot be read as YAML: {error}")
    if not isinstance(answers, dict):
        sys.exit(f"{file} holds no answers. Write one a line: for example name: order-intake")
    return answers


def refusals(answers: dict[str, Any], template: dict[str, Any]) -> list[str]:
    """Copier stops at the first bad answer, so give it one at a time and render nothing."""
    problems = []
    accepted: dict[str, Any] = {}

    def ask(data: dict[str, Any]) -> Any:
        worker = copier.run_copy(**template, data=data, exclude=["*"], pretend=True, quiet=True)
        return [name for name, question in worker.template.questions_data.items() if question.get("when") is not False]

    questions = ask({})
    for question, answer in answers.items():
        if question not in questions:
            problems.append(f"{question}: no such question. The questions are {', '.join(questions)}.")
            continue
        try:
            ask({**accepted, question: answer})
            accepted[question] = answer
        except TypeError:
            problems.append(f"{question}: write a value after the colon, or leave the line out.")
        except ValueError as error:
            problems.append(f"{question}: {answer!r} cannot be used. {str(error).split(chr(39) + ': ', 1)[-1]}")
    return problems


if __name__ == "__main__":
    # make passes its variables on as the environment: no shell reads what is in them.
    main(*(os.environ.get(name, "") for name in ("DEST", "ANSWERS", "SRC")))
