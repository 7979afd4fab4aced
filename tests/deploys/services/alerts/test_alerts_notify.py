"""Messages about troubles, by real receivers: signed, one for all changes of a minute, and none is lost."""

import base64
import email
import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploys.kit.operations.hostfiles import render
from tests.deploys.services.alerts import receivers
from tests.deploys.services.alerts.receivers import Mailbox, Web
from tests.deploys.services.alerts.rendered import program
from tests.webhooks import verified

KEY = base64.b64encode(bytes(range(40, 72))).decode()
LOGIN = 'alerts:a"b\\c$d'
TOKEN = "tk_" + "n7Yq" * 6
DISK = ("disk-bytes:/", "alarm", "91 % of the bytes of / are in use")
WORKER = ("unit-stopped:motorcade-leadgen-worker.service", "alarm", 'a "quoted" \\ word')
SOON = ("certificate-soon", "notice", "the certificate of edge expires at 2026-12-31")
Line = tuple[str, str, str]


@dataclass
class Notifier:
    """The program with its folders, the receivers that it knows, and what its next run is given."""

    world: Path
    shell: str
    file: Path
    values: dict[str, Any]

    def find(self, *lines: Line, ago: float = 0) -> None:
        """What the check has found, and how many seconds ago."""
        at = f"{datetime.now(UTC) - timedelta(seconds=ago):%FT%TZ}"
        text = "".join(f"{id_}\t{level}\t2026-11-27T01:02:03Z\t{what}\n" for id_, level, what in lines)
        (self.world / "state/troubles").write_text(f"checked\t-\t{at}\n{text}")

    def later(self, seconds: float) -> None:
        """As if its last message were older by this."""
        reported = self.world / "run/reported"
        first, rest = reported.read_text().split("\n", 1)
        reported.write_text(f"reported\t{int(first.split()[1]) - int(seconds)}\n{rest}")

    def words(self, *arguments: str) -> list[str]:
        return [self.shell, str(self.file), *arguments]

    def environ(self) -> dict[str, str]:
        path = f"{self.world / 'bin'}:{os.environ['PATH']}"
        return {"PATH": path, "RUNTIME_DIRECTORY": str(self.world / "run"), "WORLD": str(self.world)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(*arguments), env=self.environ(), capture_output=True, text=True, timeout=60, check=False
        )

    def send(self, *lines: Line, after: float = 0) -> None:
        """One more run, which must go well, `after` the last message."""
        if after:
            self.later(after)
        self.find(*lines)
        done = self.run()
        assert (done.returncode, done.stderr) == (0, ""), done.stderr

    def fault(self, channel: str) -> str:
        file = self.world / f"run/fault-{channel}"
        return file.read_text() if file.exists() else ""

    def queued(self, channel: str) -> list[str]:
        return sorted(file.name for file in (self.world / f"run/queue/{channel}").glob("*"))


@pytest.fixture
def web(certificate: Path) -> Iterator[Web]:
    with receivers.web(certificate) as kept:
        yield kept


@pytest.fixture
def mailbox(certificate: Path) -> Iterator[Mailbox]:
    with receivers.mailbox(certificate) as kept:
        yield kept


Make = Callable[..., Notifier]


@pytest.fixture
def make(world: Path, shell: str, certificate: Path) -> Make:
    """A notifier for the given channels."""

    def made(channels: Sequence[str], **values: object) -> Notifier:
        for file, given in (
            ("webhook.key", {"key": f"whsec_{KEY}"}),
            ("smtp.conf", {"login": LOGIN}),
            ("ntfy.conf", {"token": TOKEN}),
        ):
            (world / "settings" / file).write_text(render(f"alerts/{file}", page="PLAT_99", **given))
        (world / "bin/uname").write_text("#!/bin/sh\necho web-01\n")
        (world / "bin/uname").chmod(0o755)
        values = {"channels": list(channels), "trust": f'cacert = "{certificate}"', **values}
        return Notifier(world, shell, program(world, "alerts-notify", **values), values)

    return made


@pytest.fixture
def all_three(make: Make, web: Web, mailbox: Mailbox) -> Notifier:
    return make(
        ("webhook", "smtp", "ntfy"),
        webhook_url=f"{web.url}/hook?a=1&b=2",
        smtp_url=mailbox.url,
        ntfy_url=f"{web.url}/topic",
        dead_man_url=f"{web.url}/alive",
    )


@pytest.fixture
def hook(make: Make, web: Web) -> Notifier:
    """With a webhook only."""
    return make(("webhook",), webhook_url=f"{web.url}/hook")


def came(web: Web, path: str) -> list[receivers.Request]:
    return [request for request in web.requests if request.path.startswith(path)]


def said(web: Web) -> list[dict[str, Any]]:
    """The documents of all webhooks."""
    return [json.loads(request.body) for request in came(web, "/hook")]


def test_a_new_trouble_goes_at_once_to_every_channel_and_the_dead_man_s_switch_is_pressed(
    all_three: Notifier, web: Web, mailbox: Mailbox
) -> None:
    all_three.send(WORKER, DISK)
    (request,) = came(web, "/hook?a=1&b=2")
    assert verified(request.headers, request.body, f"whsec_{KEY}")
    assert not verified(request.headers, request.body + b" ", f"whsec_{KEY}")
    document = json.loads(request.body)
    assert document["type"] == "alerts.changed"
    assert document["data"]["host"] == "web-01"
    assert document["data"]["subject"] == "web-01: 2 new, 0 over, 2 in all"
    assert document["data"]["troubles"] == [
        {"id": id_, "level": level, "since": "2026-11-27T01:02:03Z", "what": what}
        for id_, level, what in (WORKER, DISK)
    ]
    (mail,) = mailbox.mails
    assert (mail.login, mail.sender) == (LOGIN, "FROM:<alerts@motorcade.test>")
    assert mail.recipients == ["TO:<ann@motorcade.test>", "TO:<bob@motorcade.test>"]
    message = email.message_from_string(mail.text)
    assert (message["Subject"], message["From"]) == (
        "[alert] web-01: 2 new, 0 over, 2 in all",
        "alerts@motorcade.test",
    )
    assert f"- {WORKER[2]} [{WORKER[0]}, since 2026-11-27T01:02:03Z]" in mail.text
    (note,) = came(web, "/topic")
    assert (note.headers["title"], note.headers["tags"]) == ("web-01: 2 new, 0 over, 2 in all", "rotating_light")
    assert note.headers["authorization"] == f"Bearer {TOKEN}"
    assert note.body.decode() == document["data"]["text"] + "\n"
    assert [request.method for request in came(web, "/alive")] == ["GET"]


def test_whatever_a_sentence_holds_it_arrives_as_it_is(all_three: Notifier, web: Web, mailbox: Mailbox) -> None:
    nasty = ['"', "\\", '\\"', "%s %d %%", "$(id) `id` $HOME ${x}", "'", "a  b", "& < >", "\\n", "-n", "{", "."]
    all_three.send(*((f"unit-failed:{number}", "alarm", what) for number, what in enumerate(nasty)))
    (document,) = said(web)
    assert [each["what"] for each in document["data"]["troubles"]] == nasty
    (note,) = came(web, "/topic")
    for text in (document["data"]["text"], mailbox.mails[0].text, note.body.decode()):
        assert [line for line in text.splitlines() if line.startswith("- ")] == [
            f"- {what} [unit-failed:{number}, since 2026-11-27T01:02:03Z]" for number, what in enumerate(nasty)
        ]


def test_nothing_new_is_no_message_and_the_switch_is_pressed_all_the_same(all_three: Notifier, web: Web) -> None:
    all_three.send()
    all_three.send(DISK)
    all_three.send(("disk-bytes:/", "alarm", "92 %"), after=120)
    assert len(said(web)) == 1, "another percentage is the same trouble"
    assert len(came(web, "/alive")) == 3


@pytest.mark.parametrize(("lines", "seconds"), [((DISK, SOON), 3600), ((SOON,), 86400)])
def test_while_it_lasts_it_is_repeated_each_hour_and_a_notice_each_day(
    hook: Notifier, web: Web, lines: tuple[Line, ...], seconds: float
) -> None:
    hook.send(*lines)
    hook.send(*lines, after=seconds - 60)
    assert len(said(web)) == 1
    hook.send(*lines, after=60)
    assert [document["type"] for document in said(web)] == ["alerts.changed", "alerts.lasting"]
    hook.send(*lines)
    assert len(said(web)) == 2


def test_its_end_is_one_message_and_then_there_is_silence(hook: Notifier, web: Web) -> None:
    hook.send(DISK, WORKER)
    hook.send(WORKER, after=60)
    hook.send(after=60)
    hook.send(after=7200)
    _, second, third = said(web)
    assert second["data"]["subject"] == "web-01: 0 new, 1 over, 1 in all"
    assert "Over:\n- 91 % of the bytes" in second["data"]["text"]
    assert "Still there:\n- a " in second["data"]["text"]
    assert (third["type"], third["data"]["subject"]) == ("alerts.ended", "web-01: all is well again")
    assert third["data"]["troubles"] == []


def test_a_storm_is_one_message_and_what_follows_within_a_minute_is_the_next(hook: Notifier, web: Web) -> None:
    storm = [(f"unit-failed:motorcade-{number:02}.service", "alarm", f"number {number}") for number in range(60)]
    hook.send(*storm)
    (document,) = said(web)
    assert len(document["data"]["troubles"]) == 60
    assert "number 39" in document["data"]["text"]
    assert document["data"]["text"].count("\n- ") == 41
    assert "- and 20 more" in document["data"]["text"]
    hook.send(DISK, *storm)
    hook.send(WORKER, *storm, after=30)
    assert len(said(web)) == 1, "a minute is not over"
    hook.send(WORKER, DISK, after=30)
    assert said(web)[1]["data"]["subject"] == "web-01: 2 new, 60 over, 2 in all"


def test_a_channel_that_fails_stops_no_other_and_gets_its_message_later(
    all_three: Notifier, web: Web, mailbox: Mailbox
) -> None:
    mailbox.answer = "451 greylisted"
    all_three.send(DISK)
    assert len(said(web)) == len(came(web, "/topic")) == 1
    since, why = all_three.fault("smtp").rstrip("\n").split("\t")
    assert since.startswith("20")
    assert "451" in why
    all_three.send(DISK)
    assert all_three.fault("smtp").split("\t")[0] == since
    mailbox.answer = "250 kept"
    mailbox.mails.clear()
    all_three.send(DISK)
    assert len(mailbox.mails) == 1
    assert (all_three.fault("smtp"), all_three.queued("smtp")) == ("", [])
    assert len(said(web)) == 1


@pytest.mark.parametrize("status", [302, 400, 410, 500])
def test_only_a_2xx_is_a_receipt_and_the_message_keeps_its_id(hook: Notifier, web: Web, status: int) -> None:
    web.status = status
    hook.send(DISK)
    assert hook.fault("webhook").endswith(f"\tthe answer is {status}\n")
    web.status = 200
    hook.send(DISK)
    first, second = came(web, "/hook")
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert verified(second.headers, second.body, KEY)


def test_what_cannot_be_sent_waits_in_order_and_the_oldest_make_room(hook: Notifier, web: Web) -> None:
    web.status = 500
    for number in range(24):
        hook.send((f"page-red:{number}", "alarm", f"number {number}"), after=60 if number else 0)
        # As if a minute had passed: two messages of one second would have one name.
        for file in (hook.world / "run/queue/webhook").glob("2*Z-*"):
            file.rename(file.with_name(f"0{number:03}-{file.name.rpartition('-')[2]}"))
    assert len(hook.queued("webhook")) == 20
    web.status = 204
    web.requests.clear()
    hook.send(("page-red:23", "alarm", "number 23"))
    assert [document["data"]["troubles"][0]["what"] for document in said(web)] == [
        f"number {number}" for number in range(4, 24)
    ]
    assert hook.queued("webhook") == []


def test_what_has_waited_for_a_day_goes_unsent(hook: Notifier, web: Web) -> None:
    web.status = 500
    hook.send(DISK)
    (message,) = hook.queued("webhook")
    web.status = 204
    web.requests.clear()
    old = time.time() - 25 * 3600
    os.utime(hook.world / "run/queue/webhook" / message, (old, old))
    hook.send(DISK)
    assert (said(web), hook.queued("webhook")) == ([], [])


def test_killed_between_sending_and_recording_it_says_it_again_rather_than_never(hook: Notifier, web: Web) -> None:
    slow = hook.world / "bin/curl"
    slow.write_text('#!/bin/sh\ntouch "$WORLD/sending"\nexec sleep 60\n')
    slow.chmod(0o755)
    hook.find(DISK)
    process = subprocess.Popen(hook.words(), env=hook.environ(), start_new_session=True)
    while not (hook.world / "sending").exists():
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    slow.unlink()
    hook.send(DISK)
    assert [document["data"]["troubles"][0]["id"] for document in said(web)] == [DISK[0]]


def test_killed_before_it_recorded_what_it_said_it_says_it_again(hook: Notifier, web: Web) -> None:
    mv = hook.world / "bin/mv"
    mv.write_text(
        '#!/bin/sh\nfor last; do :; done\n[ "${last##*/}" = reported ] || exec /bin/mv "$@"\nkill -9 $PPID\n'
    )
    mv.chmod(0o755)
    hook.find(DISK)
    assert hook.run().returncode == -signal.SIGKILL
    mv.unlink()
    hook.send(DISK)
    assert {document["data"]["troubles"][0]["id"] for document in said(web)} == {DISK[0]}
    assert hook.queued("webhook") == []


@pytest.mark.parametrize("written", ["", "reported\n", "half", "reported\t99999999999\n" + "\t".join(DISK) + "\n"])
def test_a_record_that_is_damaged_or_of_the_future_silences_nothing(
    hook: Notifier, web: Web, written: str
) -> None:
    (hook.world / "run/reported").write_text(written)
    hook.send(DISK, WORKER)
    assert {each["id"] for document in said(web) for each in document["data"]["troubles"]} == {DISK[0], WORKER[0]}


@pytest.mark.parametrize("ago", [200, None])
def test_a_check_that_ends_no_more_is_a_trouble_and_the_switch_is_not_pressed(
    make: Make, web: Web, ago: float | None
) -> None:
    notifier = make(("webhook",), webhook_url=f"{web.url}/hook", dead_man_url=f"{web.url}/alive")
    if ago:
        notifier.find(DISK, ago=ago)
    assert notifier.run().returncode == 0
    (document,) = said(web)
    assert "check-silent" in [each["id"] for each in document["data"]["troubles"]]
    assert came(web, "/alive") == []


def test_a_switch_that_cannot_be_pressed_is_a_fault_of_a_channel(make: Make, web: Web) -> None:
    notifier = make(("webhook",), webhook_url=f"{web.url}/hook", dead_man_url="https://127.0.0.1:1/alive")
    notifier.send()
    assert "Failed to connect" in notifier.fault("dead-man") or "Could not connect" in notifier.fault("dead-man")


def test_a_test_goes_to_every_channel_and_says_so(all_three: Notifier, web: Web, mailbox: Mailbox) -> None:
    done = all_three.run("test")
    assert (done.returncode, done.stdout) == (0, "")
    assert [document["type"] for document in said(web)] == ["alerts.test"]
    assert len(mailbox.mails) == len(came(web, "/topic")) == len(came(web, "/alive")) == 1


def test_a_test_that_a_channel_does_not_take_is_red_and_names_it(
    all_three: Notifier, web: Web, mailbox: Mailbox
) -> None:
    mailbox.answer = "554 no"
    web.status = 403
    done = all_three.run("test")
    assert done.returncode == 1
    tested = (all_three.world / "run/tested").read_text()
    assert [line.partition(":")[0] for line in tested.splitlines()] == ["webhook", "smtp", "ntfy", "dead-man"]
    assert "webhook: the answer is 403" in tested
    assert all_three.queued("webhook") == [], "a test is not kept"


def test_mail_goes_only_through_tls(make: Make, certificate: Path) -> None:
    with receivers.mailbox(certificate, encrypted=False) as plain:
        notifier = make(("smtp",), smtp_url=plain.url)
        notifier.send(DISK)
        assert plain.mails == []
        assert notifier.fault("smtp") != ""


def test_a_receiver_whose_certificate_is_of_another_authority_gets_nothing(make: Make, web: Web) -> None:
    notifier = make(("webhook",), webhook_url=f"{web.url}/hook", trust="")
    notifier.send(DISK)
    assert web.requests == []
    assert "certificate" in notifier.fault("webhook")


KEYS = {
    "zeros": bytes(24),
    "the inner pad, so its bytes become NUL": bytes(range(0x36, 0x56)),
    "the outer pad": b"\x5c" * 64,
    "ones": b"\xff" * 63,
    **{str(number): hashlib.sha512(bytes([number])).digest()[: 24 + 5 * number] for number in range(9)},
}


@pytest.mark.parametrize("name", KEYS)
def test_the_signature_is_hmac_for_any_key(hook: Notifier, web: Web, name: str) -> None:
    secret = base64.b64encode(KEYS[name]).decode()
    (hook.world / "settings/webhook.key").write_text(render("alerts/webhook.key", page="PLAT_99", key=secret))
    hook.send(DISK)
    (request,) = came(web, "/hook")
    assert verified(request.headers, request.body, secret)


def test_a_key_that_is_too_short_signs_nothing(hook: Notifier, web: Web) -> None:
    (hook.world / "settings/webhook.key").write_text("key = c2hvcnQ=\n")
    hook.send(DISK)
    assert web.requests == []
    assert "it cannot be signed" in hook.fault("webhook")


def test_no_secret_is_in_the_arguments_or_the_environment_of_any_program(all_three: Notifier) -> None:
    """Every program that the script may start is a recorder of both, which then becomes that program."""
    log = all_three.world / "arguments"
    for name in ("awk", "base64", "cat", "curl", "cut", "date", "head", "mv", "od", "openssl", "sed", "tee", "tr"):
        real = f"/usr/bin/{name}"
        recorder = all_three.world / "bin" / name
        recorder.write_text(f'#!/bin/sh\nprintf "%s\\n" "$0 $*" >>{log}\n/usr/bin/env >>{log}\nexec {real} "$@"\n')
        recorder.chmod(0o755)
    all_three.send(DISK)
    assert all_three.run("test").returncode == 0
    seen = log.read_text()
    assert f"{all_three.world}/bin/curl --disable" in seen
    assert f"{all_three.world}/bin/openssl dgst" in seen
    raw = base64.b64decode(KEY)
    hashed = [bytes(byte ^ pad for byte in raw).hex() for pad in (0x36, 0x5C)]
    for secret in (KEY, raw.hex(), *hashed, LOGIN, LOGIN.partition(":")[2], TOKEN):
        assert secret not in seen
    kept = b"".join(file.read_bytes() for file in (all_three.world / "run").rglob("*") if file.is_file())
    assert DISK[2].encode() in kept
    for secret in (KEY, raw.hex(), TOKEN):
        assert secret.encode() not in kept


def test_without_a_channel_it_keeps_what_it_would_have_said(make: Make) -> None:
    notifier = make(())
    notifier.send(DISK)
    assert DISK[0] in (notifier.world / "run/reported").read_text()
