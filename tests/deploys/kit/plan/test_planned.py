"""The file of planned pages: read into entries, and refused with every fault at once."""

from pathlib import Path

import pytest

from deploys.kit.errors import Refused
from deploys.kit.plan import planned
from deploys.kit.plan.entry import Entry
from deploys.kit.plan.page_text import Text

MAIL = """\
Mail:
  MAIL_02:
    title: Migration
    requires: [MAIL_01]
    groups: [app, edge]
    row: 32
    purpose: The old mailboxes arrive,
      whole.
    leaves: The mailboxes.
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "planned.yaml"
    path.write_text(text)
    return path


def test_a_page_is_read_with_its_system_and_its_text(tmp_path: Path) -> None:
    text = Text("The old mailboxes arrive, whole.", "The mailboxes.")
    entry = Entry("MAIL_02", "Migration", ("MAIL_01",), ("app", "edge"), "32", plan=text)
    assert planned.read(written(tmp_path, MAIL)) == {"Mail": (entry,)}
    assert (entry.status, entry.text) == ("planned", text)


def test_a_deviation_is_read_where_there_is_one(tmp_path: Path) -> None:
    ((entry,),) = planned.read(written(tmp_path, f"{MAIL}    differs: Later.\n")).values()
    assert entry.text.differs == "Later."


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("    leaves: The mailboxes.\n", "", "MAIL_02 has no leaves"),
        ("    leaves: The mailboxes.\n", "    leaves:\n", "MAIL_02.leaves is not text"),
        ("The mailboxes.", "The mailboxes", "MAIL_02.leaves is not a sentence"),
        ("    row: 32", "    rows: 32", "MAIL_02 has no row, MAIL_02.rows is not a known key"),
        ("row: 32", "row: ours", "MAIL_02.row is neither a number nor named nor own"),
        ("[MAIL_01]", "MAIL_01", "MAIL_02.requires is not a list"),
        ("[app, edge]", "[app, web]", "MAIL_02.groups has web, which is none of database, app, edge"),
        ("    row: 32", "    row: 32\n    row: 33", "Mail.MAIL_02.row stands twice, again in line 7"),
        ("Mail:\n", "Mail: [\n", "line "),
        (MAIL, "Mail: later\n", "must map each system to its pages, and each page to its keys"),
        (MAIL, "Mail:\n  MAIL_02: later\n", "must map each system to its pages, and each page to its keys"),
        (MAIL, "", "must map each system to its pages, and each page to its keys"),
    ],
)
def test_a_file_of_another_form_is_refused(old: str, new: str, fault: str, tmp_path: Path) -> None:
    assert old in MAIL
    path = written(tmp_path, MAIL.replace(old, new))
    with pytest.raises(Refused) as refused:
        planned.read(path)
    assert str(refused.value).startswith(f"{path}: {fault}")
    assert str(refused.value).endswith(("; correct it as its neighbours are written", "or restore it from git"))
