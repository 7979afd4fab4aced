"""A person who was erased stays erased: in a restore of an older backup, over the live database or without it."""

# More than a minute: two restores from the store, each followed by a new base backup.

from dataclasses import dataclass
from uuid import uuid4

import pytest

from tests.lab.command import until
from tests.lab.deploying import deploy, deployed, included, record, sentence, status
from tests.lab.host import Host
from tests.lab.load import LEAD, post, reckon, sql

CANARY = "Dolores Canary-Quillfeather"
EMAIL = "dolores.canary@example.com"
OTHER = "Basil Stays-Put"
PERSON = "/usr/local/libexec/motorcade/person"
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
    erased: str
    stays: str
    evidence: str
    before: str
    printed: str


@pytest.fixture(scope="module")
def story(platform: Host) -> Story:
    erased, stays = send(platform, CANARY, EMAIL), send(platform, OTHER, "basil@example.com")
    assert reckon(platform, [erased, stays]) == {"once": 2}
    platform.root("systemctl start motorcade-backup.service", seconds=600)
    evidence, before = consents(platform, erased), sql(platform, NOW)
    assert occurrences(platform, "canary") > 0, "what is looked for below can be found"
    printed = platform.root(f"{PERSON} erase --yes --reason 'a letter'", given=f"{EMAIL}\n", seconds=240).stdout
    return Story(platform, erased, stays, evidence, before, printed)


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
    found = story.host.root(f"{PERSON} find", given=f"{EMAIL}\n").stdout
    assert "leads     0" in found or "leads 0" in " ".join(found.split())


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


def test_what_is_older_than_the_retention_time_is_removed_at_night(story: Story) -> None:
    old = send(story.host, "Long Ago", "long.ago@example.com")
    assert reckon(story.host, [old]) == {"once": 1}
    age = "interval '25 months'"
    sql(story.host, f"UPDATE app.intake_jobs SET created_at = created_at - {age} WHERE intake_id = '{old}'")
    sql(story.host, f"UPDATE app.leads SET created_at = created_at - {age} WHERE intake_id = '{old}'")
    assert "motorcade-leadgen-retain.timer" in story.host.root("systemctl list-timers --no-legend").stdout
    story.host.root("systemctl start motorcade-leadgen-retain.service", seconds=120)
    assert reckon(story.host, [old]) == {"lost": 1}
    assert consents(story.host, old) != ""
    gone(story)


def test_the_pages_have_nothing_to_do_and_status_is_green(story: Story) -> None:
    assert included(story.host, ["plat_08", "leadgen_07c"]).changed == 0
    code, found = status(story.host)
    assert code == 0, found
