"""Steady callers at the edge of a lab host: open loop, one connection a lead, each answer kept."""

import http.client
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from uuid import uuid4

from tests.lab.certificates import EDGE
from tests.lab.host import Host

PER_SECOND = 8
WAIT_SECONDS = 60  # longer than the edge lets anybody wait
CALLERS = 240  # who may be waiting at one time
# Callers come from as many places: one place alone would be answered 429 for what piles up while all have to wait.
ADDRESSES = range(101, 117)
LEAD: dict[str, Any] = {
    "contact": {
        "full_name": "Load of the lab",
        "email": "load@example.com",
        "preferred_contact_method": "email",
    },
    "request": {
        "service_type": "ep_transport",
        "timeline": {"mode": "planning"},
        "notes": "One of many.",
        "location": {"city": "Austin", "state": "TX", "postal_code": "78701"},
    },
}


@dataclass(frozen=True)
class Answer:
    """`status` is 0 where there was none; `intake_id` stands in a 202 only."""

    status: int
    seconds: float
    intake_id: str = ""
    told: str = ""


@dataclass
class Load:
    """What callers have sent so far and how they were answered."""

    host: Host
    answers: list[Answer] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def accepted(self) -> list[str]:
        return [answer.intake_id for answer in self.answers if answer.status == 202]

    @property
    def failed(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status != 202]

    @property
    def longest(self) -> float:
        return max(answer.seconds for answer in self.answers)

    def send(self, number: int) -> None:
        self.answers.append(
            post(self.host, source=self.host.network.addresses(ADDRESSES)[number % len(ADDRESSES)])
        )

    def run(self) -> None:
        """At their own pace, however long an answer takes."""
        with ThreadPoolExecutor(CALLERS) as pool:
            began = time.monotonic()
            number = 0
            while not self.stopped.wait(max(began + number / PER_SECOND - time.monotonic(), 0)):
                pool.submit(self.send, number)
                number += 1


@contextmanager
def load(host: Host) -> Iterator[Load]:
    """Callers during the block; all of them have their answer after it."""
    made = Load(host)
    host.network.open_addresses(ADDRESSES)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.stopped.set()
        thread.join(WAIT_SECONDS * 2)


def post(
    host: Host,
    *,
    key: str = "",
    idempotency_key: str = "",
    source: str = "",
    lead: Mapping[str, object] = MappingProxyType(LEAD),
) -> Answer:
    """One lead to the edge, with the client's API key or another one."""
    began = time.monotonic()
    key = key or (host.directory / "api-key").read_text(encoding="ascii").strip()
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "Idempotency-Key": idempotency_key or str(uuid4()),
    }
    try:
        with closing(connect(host, source)) as connection:
            connection.request("POST", "/api/lead/intake", json.dumps(dict(lead)), headers)
            response = connection.getresponse()
            text = response.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, time.monotonic() - began, told=f"{type(error).__name__}: {error}")
    intake_id = json.loads(text).get("intake_id", "") if text.startswith("{") else ""
    return Answer(response.status, time.monotonic() - began, intake_id, text)


def connect(host: Host, source: str = "") -> http.client.HTTPSConnection:
    """To the edge by its name, wherever that leads elsewhere; only the lab's own authority is trusted."""
    context = ssl.create_default_context(cafile=str(host.directory / "ca.pem"))
    connection = http.client.HTTPSConnection(EDGE, timeout=WAIT_SECONDS, context=context)
    connection.sock = host.network.dial(443, WAIT_SECONDS, source, context)
    return connection


def reckon(host: Host, accepted: list[str], seconds: float = 30) -> dict[str, int]:
    """How often each accepted intake is a lead, once the queue is empty: all of them once is `{"once": n}`."""
    end = time.monotonic() + seconds
    while sql(host, "SELECT count(*) FROM app.intake_queue") != "0" and time.monotonic() < end:
        time.sleep(0.5)
    listed = "".join(f"('{intake_id}')," for intake_id in accepted).rstrip(",")
    found = sql(
        host,
        f"SELECT count(lead_id) FROM (VALUES {listed}) AS accepted (intake_id)"
        " LEFT JOIN app.leads ON leads.intake_id = accepted.intake_id::uuid GROUP BY accepted.intake_id",
    )
    words = {"0": "lost", "1": "once"}
    return dict(Counter(words.get(line, "several times") for line in found.splitlines()))


def sql(host: Host, statement: str) -> str:
    """What the superuser's psql prints."""
    psql = "podman exec --interactive motorcade-postgres psql -qtAX --set=ON_ERROR_STOP=1 --dbname=motorcade"
    return host.root(f"timeout 60 {psql}", given=f"{statement}\n").stdout.strip()
