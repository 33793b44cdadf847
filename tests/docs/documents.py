"""What documents say that can be tried: commands, links and paths."""

import re


def blocks(text: str) -> list[str]:
    """The shell blocks, also those inside a list."""
    return [
        re.sub(rf"^{found[1]}", "", found[2], flags=re.MULTILINE)
        for found in re.finditer(r"^( *)```sh\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    ]


def commands(text: str) -> set[str]:
    """Every command of every block, without its line breaks."""
    lines = "".join(blocks(text)).replace("\\\n", " ").splitlines()
    return {" ".join(line.split()) for line in lines}


def relative_links(text: str) -> set[str]:
    return {link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link}


def paths(text: str) -> set[str]:
    """What stands in backticks and looks like a path of the repository."""
    return {path for path in re.findall(r"`([\w.-]+/[\w./-]*)`", text) if not path.startswith(".")}
