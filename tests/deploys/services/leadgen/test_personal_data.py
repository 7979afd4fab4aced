"""Personal data on a host: who has the key, what runs at night, and the migration that a restore may need."""

from types import SimpleNamespace
from typing import Any

from deploys.kit.operations.hostfiles import REPOSITORY, render
from deploys.services.leadgen import leadgen, personal_data

MIGRATIONS = REPOSITORY / "leadgen/store/migrations"


def container(service: str) -> str:
    names = (
        "config",
        "image",
        "database_cipher",
        "database_role",
        "database_disk",
        "database_sockets",
        "redis_user",
        "redis_cipher",
        "redis_sockets",
        "erasure_cipher",
        "edge_host",
        "states",
        "site_default_state",
        "workers",
    )
    return render(
        f"leadgen/motorcade-leadgen-{service}.container",
        page="PLAT_99",
        service=f"leadgen-{service}",
        user=leadgen.USER,
        **dict.fromkeys(names, "x"),
    )


def test_only_the_container_that_no_client_reaches_has_the_key() -> None:
    assert [service for service in leadgen.SERVICES if "erasure-key" in container(service)] == ["sweeper"]


def test_no_unit_has_a_setting_that_an_older_release_would_refuse() -> None:
    for service in leadgen.SERVICES:
        assert "LEADGEN_ERASURE" not in container(service)
        assert "LEADGEN_RETENTION" not in container(service)


def test_what_runs_at_night_knows_the_months_and_the_key() -> None:
    page: Any = SimpleNamespace(
        id="PLAT_99", settings=SimpleNamespace(of=lambda _: SimpleNamespace(leadgen_retention_months=7))
    )
    files = {file.path: file for file in personal_data.files(page)}
    assert files["/usr/local/libexec/motorcade/person"].mode == "755"
    service = files[f"/etc/systemd/system/{personal_data.RETAIN}"].content
    assert "--env LEADGEN_RETENTION_MONTHS=7 " in service
    key = "/run/secrets/motorcade-leadgen-erasure-key"
    assert f"--env LEADGEN_ERASURE_KEY_FILE={key} " in service
    assert f"Secret={key.rpartition('/')[2]},type=mount," in container("sweeper")
    assert "OnCalendar=*-*-* " in files[f"/etc/systemd/system/{personal_data.NIGHTLY}"].content


def test_a_restored_database_gets_the_table_of_erasures_from_the_migration_that_has_it() -> None:
    having = [
        file.read_text().split(maxsplit=3)[2]
        for file in MIGRATIONS.glob("*.sql")
        if "CREATE TABLE app.erasures " in file.read_text()
    ]
    assert having == [personal_data.ERASURES]
