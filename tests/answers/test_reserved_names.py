"""reserved-names.yml holds every name that a service would collide with."""

from pathlib import Path

from tools import reserved_names


def missing(names: set[str]) -> set[str]:
    return reserved_names.possible(names) - reserved_names.read()


def test_no_name_of_python_is_missing() -> None:
    assert not missing(reserved_names.python_names()), "run make reserved-names"


def test_no_name_of_an_installed_package_is_missing(template: Path) -> None:
    packages = reserved_names.package_names(template)
    assert {"fastapi", "sqlalchemy", "pytest", "mypy"} <= packages
    assert not missing(packages), "run make reserved-names"


def test_only_possible_names_are_listed() -> None:
    assert reserved_names.read() == reserved_names.possible(reserved_names.read())
