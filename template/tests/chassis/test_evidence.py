"""Every promise is mapped to controls that exist, and an auditor gets all of it in one archive."""

import csv
import hashlib
import io
import json
import re
import zipfile
from pathlib import Path

import pytest

from dev.readiness import catalogue
from dev.readiness.bundle import bundle
from dev.readiness.catalogue import ReadinessError

pytestmark = pytest.mark.row("law.controls")

# The numbers that there are: TSP section 100 (2017), and Annex A of ISO/IEC 27001:2022.
IDS = {
    "SOC 2": re.compile(
        r"CC(1\.[1-5]|2\.[1-3]|3\.[1-4]|4\.[12]|5\.[1-3]|6\.[1-8]|7\.[1-5]|8\.1|9\.[12])|A1\.[1-3]|C1\.[12]|PI1\.[1-5]|"
        r"P(1\.1|2\.1|3\.[12]|4\.[1-3]|5\.[12]|6\.[1-7]|7\.1|8\.1)"
    ),
    "ISO 27001": re.compile(r"A\.(5\.([1-9]|[12]\d|3[0-7])|6\.[1-8]|7\.([1-9]|1[0-4])|8\.([1-9]|[12]\d|3[0-4]))"),
}


def test_every_promise_answers_to_controls_that_exist() -> None:
    for row in catalogue.load().values():
        for framework, ids in IDS.items():
            found = row.controls.get(framework, ())
            assert found, f"{row.id} answers to nothing of {framework}: readiness/controls.toml"
            assert [each for each in found if not ids.fullmatch(each)] == [], row.id


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What is to be found after `make readiness` and `make sbom`."""
    row = {
        "id": "security.sql",
        "promise": "no SQL",
        "state": "proven",
        "why": "1 test",
        "tests": {"tests/test_sql.py::test_it": "passed"},
        "controls": {"SOC 2": ["CC6.6", "CC8.1"]},
    }
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/readiness.json").write_text(json.dumps({"at": "2026-11-21T12:00:00+00:00", "rows": [row]}))
    (tmp_path / "reports/readiness.html").write_text("<!doctype html>")
    (tmp_path / "reports/sbom.json").write_text("{}")
    (tmp_path / "readiness").mkdir()
    (tmp_path / "readiness/attestations.toml").write_text("# nobody's word\n")
    return tmp_path


def test_the_archive_has_all_of_it_and_vouches_for_every_file(project: Path) -> None:
    archive = bundle(project)
    assert archive.name == "evidence-2026-11-21.zip"
    with zipfile.ZipFile(archive) as found:
        files = {name: found.read(name) for name in found.namelist()}
    assert {"reports/readiness.json", "reports/sbom.json", "readiness/attestations.toml", "commit.txt"} < files.keys()
    sums = dict(line.split("  ")[::-1] for line in files.pop("SHA256SUMS").decode().splitlines())
    assert sums == {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    controls = list(csv.DictReader(io.StringIO(files["controls.csv"].decode())))
    assert [each["control"] for each in controls] == ["CC6.6", "CC8.1"]
    assert {each["proof"] for each in controls} == {"tests/test_sql.py::test_it"}


def test_what_is_missing_is_named(project: Path) -> None:
    (project / "reports/sbom.json").unlink()
    with pytest.raises(ReadinessError, match=r"reports/sbom\.json is missing"):
        bundle(project)
