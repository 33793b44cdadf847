"""Is a file's merge what a careful person would have made of it? By what the file means, not only by its lines.

A file is taken apart into the things that it says: functions, fields, keys, list items, blocks, lines. What only one
side changed must be as that side has it, and what both changed must hold both changes.
"""

import ast
import io
import json
import re
import subprocess
import tempfile
import tokenize
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from pathlib import Path, PurePath
from typing import Any

import yaml

Units = dict[str, str | int]
MARKER = re.compile(r"^(<<<<<<< before updating|\|{7} last update|=======|>>>>>>> after updating)$", re.MULTILINE)


PIN = re.compile(r"@(?:sha256:[0-9a-f]{64}|[0-9a-f]{40})(?: # v(\d+)\.(\d+)\.(\d+))?")


def problems(path: str, base: str, ours: str, theirs: str, result: str) -> list[str]:
    """Return what the merge lost or made up."""
    found = []
    if not MARKER.search(result):
        # Of pins, which both sides move on, the newest wins.
        newest = max(pins(ours), pins(theirs))
        if pins(result) < newest:
            found.append(f"{path}: pins are older than {newest}")
    sides = (PIN.sub("@pin", text) for text in (base, ours, theirs, result))
    return found + meant(path, *sides)


def pins(text: str) -> list[tuple[int, ...]]:
    """Versions of the actions that are pinned, the newest first."""
    return sorted((tuple(int(part) for part in pin.groups()) for pin in PIN.finditer(text) if pin[1]), reverse=True)[:1]


def meant(path: str, base: str, ours: str, theirs: str, result: str) -> list[str]:
    if MARKER.search(result):
        return conflict_problems(path, base, ours, theirs, result)
    # What is no Python or TOML on some side is compared by its lines.
    try:
        kinds = [units(path, text) for text in (base, ours, theirs)]
    except (SyntaxError, ValueError, yaml.YAMLError):
        kinds = [lines(text) for text in (base, ours, theirs)]
        merged = lines(result)
    else:
        try:
            merged = units(path, result)
        except (SyntaxError, ValueError, yaml.YAMLError) as error:
            return [f"{path}: does not parse any more: {error}"]
    found = []
    for key in {*kinds[0], *kinds[1], *kinds[2], *merged}:
        b, o, t, r = (each.get(key) for each in (*kinds, merged))
        if o == t or t == b:
            good = r == o
        elif o == b:
            good = r == t
        elif isinstance(o, int | None) and isinstance(t, int | None):
            good = int(r or 0) >= max(0, (o or 0) + (t or 0) - int(b or 0))
        else:
            good = both(b, o, t, r)
        if not good:
            found.append(f"{path}: {key[:160]}: base {b!r:.300}, ours {o!r:.300}, theirs {t!r:.300}, merged {r!r:.300}")
    return [] if path.endswith(".py") and came_along(base, ours, theirs, result) else found


def came_along(base: str, ours: str, theirs: str, result: str) -> bool:
    """Did the owner only insert lines, which all stand between the same lines as they did, in the template's text?

    What the template has moved into another function has then taken them along.
    """
    added = insertions(base, ours)
    return bool(added) and added == insertions(theirs, result)


def insertions(before: str, after: str) -> list[str]:
    """Return what was inserted, with its neighbours, who are so nowhere else; nothing if more has changed."""
    old, new = before.splitlines(), after.splitlines()
    found = []
    for kind, start, _, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        around = "\n".join(old[max(0, start - 1) : start + 1])
        if kind != "insert" or before.count(around) != 1:
            return []
        found.append("\n".join(new[max(0, first - 1) : last + 1]))
    return found


def both(base: str | int | None, ours: str | int | None, theirs: str | int | None, result: str | int | None) -> bool:
    """Are both sides' new lines there, and both sides' old ones gone?"""
    b, o, t, r = (Counter(str(each or "").splitlines()) for each in (base, ours, theirs, result))
    return not (((o - b) | (t - b)) - r) and not ({*(b - o), *(b - t)} - {*o, *t}) & set(r)


def conflict_problems(path: str, base: str, ours: str, theirs: str, result: str) -> list[str]:
    """A conflict shows both sides, and there is one only where both changed the same lines, or neighbours."""
    b, o, t, r = (Counter(text.splitlines()) for text in (base, ours, theirs, result))
    found = [f"{path}: lost in a conflict: {line}" for line in ((o - b) | (t - b)) - r]
    if not touching(base, ours, theirs):
        found.append(f"{path}: a conflict without a reason")
    return found


def touching(base: str, ours: str, theirs: str) -> bool:
    """Did both sides change the same lines, or neighbours?"""
    changes = [list(changed(base, side)) for side in (ours, theirs)]
    return any(a <= d and c <= b for a, b in changes[0] for c, d in changes[1])


def changed(base: str, side: str) -> Iterator[tuple[int, int]]:
    """Yield which lines of the base are others on that side, as git compares them: another comparison, other places."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("base", "side")]
        for file, text in zip(files, (base, side), strict=True):
            file.write_text(text)
        command = ["git", "diff", "--no-index", "--unified=0", "--", *map(str, files)]
        compared = subprocess.run(command, capture_output=True, text=True).stdout
    for start, count in re.findall(r"^@@ -(\d+)(?:,(\d+))? ", compared, re.MULTILINE):
        length = int(count or 1)
        first = int(start) - (length > 0)
        yield first, first + length


def units(path: str, text: str) -> Units:
    match PurePath(path).suffix:
        case ".py":
            return python(text)
        case ".toml":
            return flat(tomllib.loads(text)) | comments(text)
        case ".yml" | ".yaml":
            return flat(list(yaml.safe_load_all(text))) | comments(text)
        case ".json":
            return flat(json.loads(text))
        case ".tf" | ".hcl":
            return blocks(text, r'^[a-z_]+(?: "[^"]+")* \{$', "}")
    return lines(text)


def counted(names: Iterable[str]) -> Units:
    return dict(Counter(names))


def lines(text: str) -> Units:
    return counted(line for line in text.splitlines() if line.strip())


def comments(text: str) -> Units:
    return counted(line.strip() for line in text.splitlines() if line.lstrip().startswith("#"))


def flat(value: Any, path: str = "") -> Units:
    """Take data apart: an entry for each value, and for each item of a list how often it is there."""
    if isinstance(value, dict):
        return {key: part for name, each in value.items() for key, part in flat(each, f"{path}/{name}").items()}
    if isinstance(value, list):
        if path and all(not isinstance(each, dict) for each in value):
            return counted(f"{path}[] {json.dumps(each, default=str)}" for each in value)
        return {key: part for name, each in named(value) for key, part in flat(each, f"{path}[{name}]").items()}
    return {path: json.dumps(value, default=str)}


def named(items: list[Any]) -> Iterator[tuple[str, Any]]:
    """Items of a list have names, or what they use, or at least an order among those that have none."""
    seen: Counter[str] = Counter()
    for item in items:
        name = ""
        if isinstance(item, dict):
            name = str(
                next((item[key] for key in ("name", "id", "uses", "run", "type", "module", "repo") if key in item), "")
            )
        name = name.split("@")[0]
        seen[name] += 1
        yield f"{name}#{seen[name]}", item


def blocks(text: str, begin: str, end: str) -> Units:
    """Terraform's blocks, by their headers."""
    found: Units = {}
    rest, block, key = [], [], ""
    for line in text.splitlines():
        if not key and re.match(begin, line):
            key, block = line, [line]
        elif key:
            block.append(line)
            if line == end:
                found[key], key = "\n".join(block), ""
        else:
            rest.append(line)
    return found | lines("\n".join([*rest, *(block if key else [])]))


def python(text: str) -> Units:
    tree = ast.parse(text)
    found: Units = {}
    loose: list[str] = []

    def add(node: ast.stmt, path: str) -> None:
        segment = ast.get_source_segment(text, node) or ""
        match node:
            case ast.ClassDef():
                found[f"{path}class {node.name}"] = ast.dump(
                    ast.ClassDef(node.name, node.bases, node.keywords, [], node.decorator_list)
                )
                for each in node.body:
                    add(each, f"{path}{node.name}.")
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                key = f"{path}def {node.name}"
                while key in found:  # an overload, or a name that was written twice
                    key += "'"
                decorators = [ast.get_source_segment(text, each) or "" for each in node.decorator_list]
                found[key] = "\n".join([*decorators, segment])
            case ast.Import() | ast.ImportFrom():
                module = getattr(node, "module", "")
                loose.extend(f"{path}import {module} {each.name} {each.asname}" for each in node.names)
            case ast.Assign() | ast.AnnAssign():
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                key = f"{path}{ast.unparse(target)} ="
                while key in found:
                    key += "'"
                found[key] = segment
            case _:
                loose.append(f"{path}{segment}")

    for node in tree.body:
        add(node, "")
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    loose += [token.string for token in tokens if token.type == tokenize.COMMENT]
    return found | counted(loose)
