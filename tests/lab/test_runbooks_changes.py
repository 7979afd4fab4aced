"""Pages that bring something else to a host: each command runs as it is written, and drift is clean after it."""

# More than a minute: each rotation is a run of up to six pages.

import re
from contextlib import ExitStack

from leadgen.domain import api_key
from tests.lab.deploying import record
from tests.lab.load import Load, load, post, reckon, sql
from tests.runbooks.desk import At, Desk, Done

API_KEYS = "docs/runbooks/rotate-an-api-key.md"
PERSONAL_DATA = "docs/runbooks/personal-data.md"
RESTORE = "docs/runbooks/restore.md"
SECRETS = "docs/runbooks/rotate-a-secret.md"


def passed(done: Done) -> None:
    assert "--> OK: run-" in done.output, done.output


def test_an_operator_joins_and_rotates_secrets(desk: Desk) -> None:
    kept = desk.identity.read_text(encoding="ascii")
    alone = desk.home / "newcomer.txt"

    def joins(done: Done) -> None:
        """They can open what is rotated from now on; for the rest they have the key of the others as well."""
        (public,) = re.findall(r"age1\S+", done.output)
        with (desk.checkout / "group_data/secrets/lab/recipients.txt").open("a", encoding="ascii") as file:
            file.write(f"# a newcomer\n{public}\n")
        assert (desk.identity.stat().st_mode & 0o777) == 0o600
        own = desk.identity.read_text(encoding="ascii")
        alone.write_text(own, encoding="ascii")
        alone.chmod(0o600)
        desk.identity.write_text(f"{kept}{own}", encoding="ascii")

    def usable(done: Done) -> None:
        assert "all usable" in done.output
        desk.commit("Rotated")

    def rotate(*names: str) -> None:
        for name in names:
            done = desk.written(SECRETS, "rotate prod postgres-app", {"postgres-app": name})
            assert done.code == 0, done.output
        desk.commit("Rotated")

    callers: list[Load] = []
    ends = ExitStack()

    def under_load() -> None:
        rotate("redis-bell", "redis-worker")
        callers.append(ends.enter_context(load(desk.host)))

    def refused_nobody(_: Done) -> None:
        ends.close()
        assert callers[0].failed == []
        assert reckon(desk.host, callers[0].accepted) == {"once": len(callers[0].accepted)}

    desk.follow(
        SECRETS,
        at={
            "mkdir -p": At(before=desk.identity.unlink),
            "age-keygen": At(after=joins),
            "set prod postgres-app": At(given="A-value-that-we-were-given-0123456789\n"),
            "secrets check": At(after=usable),
            "pyinfra": At(after=passed),
            "plat_08c.py": At(before=under_load, after=refused_nobody),
        },
    )
    newcomer = desk.at_desk(f"python -m deploys.kit.secrets check lab --identity {alone}")
    assert newcomer.code == 1
    assert "postgres-ro.age" in newcomer.output
    assert "postgres-app.age" not in newcomer.output
    desk.clean()


def test_a_dump_is_put_back_with_the_erasures_since_then(desk: Desk) -> None:
    """The one of the rotation before."""
    dumped = [
        line for line in record(desk.host) if any("/PLAT_03" in each["path"] for each in line.get("backups", []))
    ]
    values = {"<run>": dumped[-1]["run"], "LEADGEN_02": "PLAT_03"}
    listed = desk.written(RESTORE, "pg_restore --list", values)
    assert (listed.code, "TABLE DATA app leads" in listed.output) == (0, True), listed.output
    back = desk.written(RESTORE, "restore.sh", values)
    assert back.code == 0, back.output
    (aside,) = re.findall(r"previous database is now (\w+);", back.output)
    passed(desk.written(RESTORE, "deploys/plat_03.py"))
    for part in ("COPY app.erasures TO", "COPY found FROM", "erasures replay"):
        done = desk.written(PERSONAL_DATA, part, {"motorcade_until_20261121_183000": aside})
        assert done.code == 0, done.output
    sql(desk.host, f"DROP DATABASE {aside}")
    desk.clean()


def test_api_keys_of_clients_the_site_and_the_pages_rotate(desk: Desk) -> None:
    made: dict[str, str] = {}
    edit, enrolled = desk.home / "edit", desk.home / "enrolled"
    enrolled.write_text(f"{api_key.mint('wordpress', frozenset({'intake'}), None)[0]}\n", encoding="ascii")

    def keep(done: Done) -> None:
        made["key"], made["line"] = done.output.splitlines()[:2]
        edit.write_text(f"printf '%s\\n' '{made['line']}' >>\"$1\"\n", encoding="ascii")

    def taken(done: Done) -> None:
        passed(done)
        assert post(desk.host, key=made["key"]).status == 202

    desk.follow(
        API_KEYS,
        values={"<file>": str(enrolled)},
        at={"keys new --client wordpress": At(after=keep), "pyinfra": At(after=taken)},
    )
    edit.write_text(f"sed -i '/^{made['line'].split()[0]} /d' \"$1\"\n", encoding="ascii")
    for part in (
        "(motorcade-probe|site)",
        "$EDITOR",
        "paste",
        "pyinfra inventories/prod.py deploys/plat_04.py deploys/leadgen_06.py",
    ):
        done = desk.written(API_KEYS, part)
        assert done.code == 0, done.output
    assert post(desk.host, key=made["key"]).status == 401
    assert post(desk.host).status == 202
    desk.commit("The second key is revoked")
    desk.clean()
