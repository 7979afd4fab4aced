"""`leadgen migrate --list`: the migrations of a release, listed without a database."""

from click.testing import CliRunner

from leadgen.cli import leadgen
from leadgen.store.migrations import shipped


def test_the_shipped_migrations_are_listed_in_order_without_any_setting() -> None:
    result = CliRunner(env={"LEADGEN_OWNER_DATABASE_URL": None}).invoke(leadgen, ["migrate", "--list"])
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[:2] == ["pre 20260126_01_wave1_leads", "pre 20260126_02_wave1_write_path"]
    assert lines == [f"{migration.stage} {migration.version}" for migration in shipped()]
