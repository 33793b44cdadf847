"""A covering array: few rows in which every two values of every two parameters meet."""

from collections.abc import Mapping, Sequence
from itertools import combinations

Pair = frozenset[tuple[str, str]]


def pairs(row: Mapping[str, str]) -> set[Pair]:
    return {frozenset(each) for each in combinations(row.items(), 2)}


def every_pair(values: Mapping[str, Sequence[str]]) -> set[Pair]:
    return {
        frozenset({(one, first), (other, second)})
        for one, other in combinations(values, 2)
        for first in values[one]
        for second in values[other]
    }


def covering(values: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """Take the pair that is still missing, and complete it, value by value, with what covers most of the others."""
    missing, rows = every_pair(values), list[dict[str, str]]()
    while missing:
        row = dict(min(missing, key=sorted))
        for name in sorted(values, key=lambda each: -len(values[each])):
            if name not in row:
                row[name] = max(values[name], key=lambda value: _met(row, name, value, missing))
        missing -= pairs(row)
        rows.append({name: row[name] for name in values})
    return rows


def _met(row: Mapping[str, str], name: str, value: str, missing: set[Pair]) -> int:
    return sum(frozenset({(name, value), other}) in missing for other in row.items())
