"""What pytest says of promises: a failed test names those that it proves; `--row=data.locks` runs what proves one."""

import pytest

from dev.readiness import catalogue


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say which."""
    parser.addoption("--row", action="append", help="run only the tests that prove this row (of more: say it again)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the others out."""
    if wanted := set(config.getoption("--row") or []):
        config.hook.pytest_deselected(items=[item for item in items if wanted.isdisjoint(_rows(item))])
        items[:] = [item for item in items if not wanted.isdisjoint(_rows(item))]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Have each report carry the rows of its test."""
    item.user_properties.extend(("row", row) for row in _rows(item))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the promises that failed tests prove, with those tests."""
    broken: dict[str, dict[str, None]] = {}
    for report in [*terminalreporter.getreports("failed"), *terminalreporter.getreports("error")]:
        for name, row in report.user_properties:
            if name == "row":
                broken.setdefault(str(row), {})[report.nodeid] = None
    if not broken:
        return
    try:
        told = {id_: (row.promise, row.places) for id_, row in catalogue.load().items()}
    except catalogue.ReadinessError as error:
        told = dict.fromkeys(broken, (str(error), []))
    terminalreporter.section("promises broken")
    for row, tests in sorted(broken.items()):
        promise, places = told.get(row, ("not in readiness/catalogue/", []))
        terminalreporter.write_line(f"{row}: {promise}", red=True)
        if places:
            terminalreporter.write_line(f"    kept by {', '.join(places)}")
        for test in tests:
            terminalreporter.write_line(f"    {test}")


def _rows(item: pytest.Item) -> list[str]:
    return [str(row) for mark in item.iter_markers("row") for row in mark.args]
