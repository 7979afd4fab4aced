"""The commands of personal data as an operator runs them, and what they print and log."""

import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from click.testing import CliRunner, Result

from leadgen.cli import leadgen
from tests.integration.outbox import Outbox
from tests.integration.people import CANARY

KEY = "k" * 32
EMAIL = f"{CANARY.lower()}@example.com"
PHONE = "+15125550100"

Run: TypeAlias = Callable[..., Result]


def invoke(
    url: str, folder: Path, *arguments: str, stdin: str | None = None, key: str | None = KEY, **settings: str
) -> Result:
    """Run `leadgen …` on a database, without a terminal, with the erasure key in a file of the folder."""
    environ = {"LEADGEN_DATABASE_URL": url}
    if key is not None:
        (folder / "key").write_text(f"{key}\n")
        environ["LEADGEN_ERASURE_KEY_FILE"] = str(folder / "key")
    return CliRunner(env=environ | settings).invoke(leadgen, arguments, input=stdin)


def counts(result: Result) -> dict[str, int]:
    """The counts that a command printed last."""
    pairs = [line.split("\t") for line in result.stdout.splitlines()]
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def digest(kind: str, value: str) -> bytes:
    return hmac.digest(KEY.encode(), f"{kind}:{value}".encode(), "sha256")


def audit(outbox: Outbox) -> list[tuple[Any, ...]]:
    return outbox.owner.execute(
        "SELECT actor, action, intake_id, reason, person_digest, counts FROM app.job_audit ORDER BY audit_id"
    ).fetchall()


def erase(run: Run, *arguments: str) -> Result:
    result = run("person", "erase", *(arguments or ("--email", EMAIL)), "--yes")
    assert result.exit_code == 0, result.stderr
    return result
