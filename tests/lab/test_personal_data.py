"""A person who was erased stays erased: in a restore of an older backup, over the live database or without it."""

# More than a minute: two restores from the store, each followed by a new base backup.

import re
from dataclasses import dataclass
from uuid import uuid4

import pytest

from tests.lab.command import until
from tests.lab.deploying import deploy, deployed, included, record, sentence, status
from tests.lab.host import Host
from tests.lab.load import LEAD, post, reckon, sql
from tests.runbooks.desk import Desk

CANARY = "Dolores Canary-Quillfeather"
EMAIL = "dolores.canary@example.com"
OTHER = "Basil Stays-Put"
PERSONAL_DATA = "docs/runbooks/personal-data.md"
RESTORE_PAGE = "docs/runbooks/restore.md"
MOMENT = "2026-11-21T18:30:00Z"  # on the page
RESTORE = "/usr/local/libexec/motorcade/restore"
LIVE = {"over": "live", "reason": "the lab asks"}
NOW = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


def send(host: Host, name: str, email: str) -> str:
    """A lead with a consent; its intake id."""
    request = LEAD["request"]
    consent = {
        "channel": "sms",
        "granted": True,
        "text_version": "2026-01",
        "text_sha256": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        "at": "2026-11-20T15:04:05-06:00",
        "page_url": "https://motorcade.vip/contact",
    }
    contact = {"full_name": name, "email": email, "preferred_contact_method": "email"}
    lead = {"contact": contact, "request": {**request, "notes": f"For {name}."}, "consent": [consent]}
    answer = post(host, idempotency_key=str(uuid4()), lead=lead)
    assert answer.status == 202, answer
    return answer.intake_id


def occurrences(host: Host, words: str) -> int:
    """Lines of a dump of the whole database that have the words."""
    dump = f"podman exec motorcade-postgres pg_dumpall | grep --count --ignore-case '{words}' || true"
    return int(host.root(dump, seconds=120).stdout)


def consents(host: Host, intake_id: str) -> str:
    columns = "channel, granted, text_version, text_sha256, given_at"
    return sql(host, f"SELECT {columns} FROM app.consents WHERE intake_id = '{intake_id}'")


@dataclass(frozen=True)
class Story:
    """Two persons, a moment at which both were there, and what was printed when one of them was erased."""

    host: Host
    desk: Desk
    erased: str
    stays: str
    evidence: str
    before: str
    exported: str
    printed: str


@pytest.fixture(scope="module")
def story(platform: Host, desk: Desk) -> Story:
    erased, stays = send(platform, CANARY, EMAIL), send(platform, OTHER, "basil@example.com")
    assert reckon(platform, [erased, stays]) == {"once": 2}
    platform.root("systemctl start motorcade-backup.service", seconds=600)
    evidence, before = consents(platform, erased), sql(platform, NOW)
    assert occurrences(platform, "canary") > 0, "what is looked for below can be found"
    done = desk.written(PERSONAL_DATA, "person export", given=f"{EMAIL}\n")
    assert done.code == 0, done.output
    exported = platform.ssh("cat export.json && shred -u export.json").stdout
    printed = erase(desk)
    return Story(platform, desk, erased, stays, evidence, before, exported, printed)


def erase(desk: Desk) -> str:
    """At a terminal, with a yes; what it prints."""
    done = desk.written(PERSONAL_DATA, "person erase", given=f"{EMAIL}\ny\n", terminal=True)
    assert done.code == 0, done.output
    return done.output


def gone(story: Story) -> None:
    """The person is nowhere in the database; the evidence is what it was, and the other person is there."""
    assert occurrences(story.host, "canary") == 0
    assert (consents(story.host, story.erased), story.evidence != "") == (story.evidence, True)
    assert reckon(story.host, [story.stays, post(story.host).intake_id]) == {"once": 2}
    assert occurrences(story.host, OTHER) > 0


def test_an_erasure_leaves_the_evidence_and_ends_when_the_store_has_it(story: Story) -> None:
    assert story.printed.endswith("erased, and the store has it\n")
    assert CANARY not in story.printed
    gone(story)
    assert sql(story.host, "SELECT count(*) FROM app.erasures") == "1"
    assert CANARY in story.exported
    found = story.desk.written(PERSONAL_DATA, "person find", given=f"{EMAIL}\n")
    assert (found.code, "leads 0" in " ".join(found.output.split())) == (0, True), found.output


def test_a_restore_of_an_older_moment_over_the_live_database_erases_the_person_again(story: Story) -> None:
    ended = deployed(story.host, "restore", data={**LIVE, "at": story.before})
    said = sentence(ended.output)
    assert "erasures: 1 in the live database" in said
    assert "1 tombstones replayed" in said
    assert "intakes 1" in said, "the restored copy had the person"
    gone(story)
    (note,) = [line["notes"]["RESTORE"]["erasures"] for line in record(story.host)[-1:]]
    assert note.startswith("1 tombstones replayed")
    reason = "SELECT reason FROM app.job_audit WHERE action = 'erase' ORDER BY at DESC LIMIT 1"
    assert sql(story.host, reason) == "erased before"


def test_without_a_live_database_erasures_come_from_the_newest_state_in_the_store(story: Story) -> None:
    """Also after the restore before, which brought the tombstone into the database and so into the store."""
    host = story.host
    host.root(
        "systemctl kill --signal KILL motorcade-postgres.service; systemctl stop motorcade-postgres.service;"
        " rm -rf /srv/motorcade/volumes/postgres/17"
    )
    ended = deployed(host, "restore", data={**LIVE, "at": story.before})
    said = sentence(ended.output)
    assert "the newest state in the store is restored to read it there" in said
    assert "erasures: 1 in the newest state of the store" in said
    assert "intakes 1" in said, "the restored copy had the person"
    gone(story)


def test_a_copy_beside_the_live_database_has_the_person_neither(story: Story) -> None:
    deployed(story.host, "restore", data={"at": story.before})
    dump = "podman exec motorcade-restore pg_dumpall | grep --count --ignore-case canary || true"
    assert story.host.root(dump).stdout == "0\n"
    story.host.root(f"{RESTORE} drop")


def test_nothing_is_restored_over_the_live_database_if_erasures_are_not_replayed(story: Story) -> None:
    refused = story.host.root(
        f"{RESTORE} live /srv/motorcade/backups/lab {story.before}", check=False, seconds=300
    )
    assert refused.returncode == 1
    assert "ERASURES ARE NOT REPLAYED" in refused.stdout
    assert "the live database was not touched" in refused.stdout
    ended = deploy(story.host, "restore", data={"erasures": "unread"})
    assert "unread is not a known value, or not here" in sentence(ended.output)
    assert until(lambda: post(story.host).status == 202, 60)
    gone(story)


def test_a_restore_that_replays_no_erasure_is_on_record_and_the_person_is_erased_by_hand(story: Story) -> None:
    host = story.host
    ended = story.desk.deployed(RESTORE_PAGE, "erasures=unread", {MOMENT: story.before})
    assert occurrences(host, "canary") > 0, "that is what the page warns of"
    assert ended.line["notes"]["RESTORE"]["erasures"] == "not replayed: they were not asked for"
    assert erase(story.desk).endswith("erased, and the store has it\n")
    gone(story)


def test_what_is_older_than_the_retention_time_is_removed_at_night(story: Story) -> None:
    old = send(story.host, "Long Ago", "long.ago@example.com")
    assert reckon(story.host, [old]) == {"once": 1}
    age = "interval '25 months'"
    sql(story.host, f"UPDATE app.intake_jobs SET created_at = created_at - {age} WHERE intake_id = '{old}'")
    sql(story.host, f"UPDATE app.leads SET created_at = created_at - {age} WHERE intake_id = '{old}'")
    assert "motorcade-leadgen-retain.timer" in story.host.root("systemctl list-timers --no-legend").stdout
    for part in ("start motorcade-leadgen-retain", "journalctl", "FROM app.job_audit"):
        done = story.desk.written(PERSONAL_DATA, part)
        assert done.code == 0, done.output
    assert re.search(r"\| erase +\| letter of 12 November", done.output), done.output
    assert reckon(story.host, [old]) == {"lost": 1}
    assert consents(story.host, old) != ""
    gone(story)


def test_the_pages_have_nothing_to_do_and_status_is_green(story: Story) -> None:
    assert included(story.host, ["plat_08", "leadgen_07c"]).changed == 0
    code, found = status(story.host)
    assert code == 0, found
