"""What Copier makes of our template in an update, called as `make template-update` calls it, but in process."""

import shutil
from pathlib import Path

from tests.services import commit
from tests.update import histories, updating
from tests.update.conftest import Generate, Template
from tests.update.kept import kept, owned


def test_an_untouched_service_becomes_a_fresh_one(two_releases: Template, generate: Generate) -> None:
    service, fresh = generate(), generate(two_releases.second, "fresh", under_git=False)
    before = updating.tree(service)
    updating.update(service)
    after, expected = updating.tree(service), updating.tree(fresh)

    theirs = owned({*after, *expected}, kept((two_releases.path / "copier.yml").read_text()))
    assert updating.difference(after, expected) <= theirs
    assert histories.NEW in after
    # The owner's are as on the first day, although the second release writes others.
    assert not updating.difference(after, before) & theirs
    assert updating.difference(after, expected) & theirs

    commit(service, "Update")
    updating.update(service)
    assert updating.tree(service) == after


def test_edits_survive(generate: Generate) -> None:
    service = generate()
    histories.edits(service)
    commit(service, "Edits")
    ours_alone = updating.tree(service)
    updating.update(service)
    after = updating.tree(service)

    assert updating.unmerged(service) == updating.marked(service) == []
    # ours: both sides' changes, each in its place
    health = (service / histories.HEALTH).read_text()
    assert histories.ROUTE in health
    assert "TIMEOUT_SECONDS = 3" in health
    assert alarms_with_threshold_9(service) == ["alarm-05"]
    # shared: likewise
    pyproject = (service / "pyproject.toml").read_text()
    assert histories.DEPENDENCY in pyproject
    assert "annotated-types" in pyproject
    readme = (service / "README.md").read_text()
    assert histories.SECTION in readme
    assert "Every single day" in readme
    # yours, and what became yours because the template has it no more: not a byte
    for path in (histories.ORDERS, histories.ABANDONED, "src/app/invoices/__init__.py", "src/app/orders/discounts.py"):
        assert after[path] == ours_alone[path]
    # What the owner deleted stays deleted, though the template went on changing it.
    assert histories.DELETED not in after
    assert histories.NEW in after

    commit(service, "Update")
    updating.update(service)
    assert updating.tree(service) == after


def test_the_owners_deleted_files_stay_deleted(generate: Generate) -> None:
    service = generate()
    for path in ("src/app/orders", "tests/orders"):
        shutil.rmtree(service / path)
    commit(service, "Another domain")
    updating.update(service)
    assert not {path for path in updating.tree(service) if path.startswith(("src/app/orders", "tests/orders"))}


def test_both_changing_a_line_is_seen(generate: Generate) -> None:
    service = generate()
    histories.collision(service)
    commit(service, "Patience")
    updating.update(service)
    assert updating.unmerged(service) == [histories.HEALTH]
    assert updating.marked(service) == [str(service / histories.HEALTH)]
    text = (service / histories.HEALTH).read_text()
    assert "TIMEOUT_SECONDS = 5" in text
    assert "TIMEOUT_SECONDS = 3" in text


def test_three_lines_of_context_would_not_do(generate: Generate) -> None:
    """Why we pass `context_lines`: the day this fails, Copier merges well by itself."""
    service = generate()
    histories.edits(service)
    commit(service, "Edits")
    updating.update(service, context_lines=3)
    assert updating.unmerged(service) == updating.marked(service) == []
    assert alarms_with_threshold_9(service) == ["alarm-04"], "the edit was to alarm-05"


def alarms_with_threshold_9(service: Path) -> list[str]:
    blocks = (service / histories.ALARMS).read_text().split("\n\n")
    return [block.split(":")[0] for block in blocks if "threshold: 9" in block]
