"""The floor: our own statement and its commit, sent by PostgreSQL's pgbench with nothing before it or after it."""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

from leadgen.api import reading
from leadgen.dev.account import for_postgres
from leadgen.dev.wheels import postgres_programs
from leadgen.domain.fingerprint import canonical_json, fingerprint
from leadgen.store.queries import load
from tests.bench.errors import CannotMeasure
from tests.conftest import Database
from tests.submissions import VALID


def _literal(text: str) -> str:
    """Of JSON from json.dumps: without a space, a colon before a letter would be a variable of pgbench's."""
    return "'" + text.replace("'", "''") + "'"


READ = reading.read(VALID, frozenset({"TX"}), reading.Request())
ANSWER = {
    "status": "accepted",
    "intake_id": "019bd8a2-0000-7000-8000-000000000000",
    "request_id": "019bd8a2-0000-7000-8000-000000000001",
    "received_at_utc": "2026-01-28T21:04:05.123456Z",
}
# In the order of the parameters of insert_intakes, one intake.
COLUMNS = {
    "intake_id": "uuidv7()",
    "x_request_id": "uuidv7()::text",
    "client_id": "'bench'",
    "key_id": "'bench000'",
    "idempotency_key": "gen_random_uuid()::text",
    "fingerprint": f"'\\x{fingerprint(canonical_json(VALID)).hex()}'",
    "fingerprint_version": "1",
    "payload": _literal(json.dumps(VALID)),
    "lead": _literal(json.dumps(READ.columns)),
    "email": _literal(str(READ.email)),
    "phone_e164": _literal(str(READ.phone_e164)),
    "created_at": "now()",
    "answer": _literal(json.dumps(ANSWER)),
}


def statement() -> str:
    """`insert_intakes` for one row, its parameters written out."""
    text = load("intake_jobs")["insert_intakes"]
    if len(re.findall("%b", text)) != len(COLUMNS):
        raise CannotMeasure("pgbench", "insert_intakes takes other parameters by now", "bring COLUMNS up to date")
    values = iter(COLUMNS.values())
    return re.sub("%b", lambda _: f"ARRAY[{next(values)}]", text) + ";\n"


def per_second(database: Database, *, clients: int, seconds: int) -> float:
    """Commits a second in a closed loop."""
    output = _run(database, "--client", str(clients), "--time", str(seconds))
    found = re.search(r"^tps = ([\d.]+)", output, re.MULTILINE)
    if not found:
        raise CannotMeasure("pgbench", "it reports no rate", "run it by hand")
    return float(found[1])


def latencies(database: Database, *, rate: int, seconds: int, clients: int = 16) -> list[float]:
    """Milliseconds from due to committed in an open loop; pgbench's schedule is random as ours is."""
    with tempfile.TemporaryDirectory() as folder:
        options = ("--rate", str(rate), "--log", f"--log-prefix={folder}/log")
        _run(database, "--client", str(clients), "--time", str(seconds), *options)
        lines = [line for file in Path(folder).iterdir() for line in file.read_text().splitlines()]
    return [int(line.split()[2]) / 1000 for line in lines]


def _run(database: Database, *options: str) -> str:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(statement())
        script.flush()
        done = subprocess.run(
            [
                postgres_programs(for_postgres()) / "pgbench",
                *("--no-vacuum", "--protocol", "prepared", "--file", script.name, *options),
                database.app_url,
            ],
            env={"PATH": os.environ["PATH"], "PGOPTIONS": "-c synchronous_commit=on"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    if done.returncode:
        raise CannotMeasure("pgbench", done.stderr.strip(), "call it by hand")
    return done.stdout
