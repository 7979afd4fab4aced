"""Two PostgreSQL servers, one the synchronous standby of the other, with proxies in front of both ways in."""

import os
import signal
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import psycopg

from leadgen.dev import wheels
from leadgen.dev.account import for_postgres
from leadgen.dev.database import prepare_database
from leadgen.dev.place import Place
from leadgen.dev.ports import LOOPBACK
from leadgen.dev.postgres import DATABASE, EmbeddedPostgres
from tests.chaos.proxy import Proxy
from tests.integration.service import until

STANDBY: Final = "standby"
SETTINGS: Final = {"max_connections": "60", "shared_buffers": "32MB"}
PARTS: Final = ("leader", "standby")  # folders
WAITING: Final = "FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@dataclass(frozen=True, slots=True)
class Model:
    """The stopped servers from whose files each pair is copied, and the secrets of all that use them."""

    folder: Path

    @property
    def place(self) -> Place:
        return Place(self.folder / "place")


def make_model(folder: Path) -> Model:
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)  # PostgreSQL may run as another user
    model = Model(folder)
    model.place.make()
    model.place.api_key()
    leader = EmbeddedPostgres(folder / PARTS[0], settings=SETTINGS)
    leader.start()
    try:
        prepare_database(leader, model.place.passwords(), lambda _: None)
        _take_base_backup(leader, EmbeddedPostgres(folder / PARTS[1]).home / "data")
    finally:
        leader.stop()
    return model


def _take_base_backup(leader: EmbeddedPostgres, data: Path) -> None:
    account = for_postgres()
    data.mkdir()
    account.take(data, 0o700)
    done = account.run(
        wheels.postgres_programs(account) / "pg_basebackup",
        *("--pgdata", data, "--dbname", leader.superuser_url, "--checkpoint=fast"),
    )
    assert done.returncode == 0, done.stderr
    (data / "standby.signal").touch()
    account.take(data / "standby.signal", 0o600)


class Pair:
    """Clients connect through `entrance`, which leads to the leader; its standby replicates through `stream`."""

    leader: EmbeddedPostgres
    standby: EmbeddedPostgres
    entrance: Proxy
    stream: Proxy

    def __init__(self, folder: Path, model: Model) -> None:
        self._model = model
        self._opened = ExitStack()
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)
        self._homes = [folder / part for part in PARTS]
        for home, part in zip(self._homes, PARTS, strict=True):
            home.mkdir(mode=0o711)
            subprocess.run(["cp", "-a", model.folder / part / "data", home], check=True)
            subprocess.run(["cp", "-a", model.folder / PARTS[0] / "superuser.password", home], check=True)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @property
    def api_url(self) -> str:
        """The API's, to whichever server the entrance leads."""
        return self._api_url(str(self.entrance.port))

    @property
    def several_hosts_url(self) -> str:
        """The API's, to whichever server takes writes."""
        return self._api_url(f"{self.leader.port},{LOOPBACK}:{self.standby.port}")

    def superuser(self, server: EmbeddedPostgres) -> psycopg.Connection:
        return psycopg.connect(server.superuser_url, autocommit=True, connect_timeout=10)

    def wait_for(self, names: str) -> None:
        """Let commits on the leader wait for these standbys; for none if empty."""
        with self.superuser(self.leader) as superuser:
            superuser.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'")
            superuser.execute("SELECT pg_reload_conf()")

    def count_waiting(self) -> int:
        """How many sessions of the leader wait for the standby."""
        return self._count(WAITING)

    def count_sessions(self, service: str) -> int:
        """How many sessions one of our services has on the leader."""
        return self._count(f"FROM pg_stat_activity WHERE application_name = 'leadgen-{service}'")

    def lose_leader(self) -> None:
        """For good, with all that it has not sent; whatever the network still holds is lost as well."""
        kill(self.leader)
        self.stream.reset()  # first: whatever a blackhole holds would pass through when it ends
        self.stream.refuse()

    def promote(self) -> None:
        """Make the standby the leader and let the entrance lead to it."""
        with self.superuser(self.standby) as superuser:
            assert superuser.execute("SELECT pg_promote(true, 30)").fetchone() == (True,)
        self.entrance.server_port = self.standby.port
        self.entrance.reset()

    def _start(self) -> None:
        self.leader = EmbeddedPostgres(self._homes[0], settings=SETTINGS)
        self._opened.callback(discard, self.leader)
        self.leader.start()
        self.stream = self._opened.enter_context(Proxy(self.leader.port))
        self.entrance = self._opened.enter_context(Proxy(self.leader.port))
        password = (self.leader.home / "superuser.password").read_text(encoding="ascii")
        source = (
            f"host={LOOPBACK} port={self.stream.port} user=postgres password={password} application_name={STANDBY}"
        )
        self.standby = EmbeddedPostgres(self._homes[1], settings=SETTINGS | {"primary_conninfo": source})
        self._opened.callback(discard, self.standby)
        self.standby.start()
        self.wait_for(STANDBY)
        assert until(self._is_synchronous)

    def _count(self, what: str) -> int:
        with self.superuser(self.leader) as superuser:
            ((count,),) = superuser.execute(f"SELECT count(*) {what}").fetchall()
        return int(count)

    def _is_synchronous(self) -> bool:
        with self.superuser(self.leader) as superuser:
            rows = superuser.execute("SELECT sync_state FROM pg_stat_replication").fetchall()
        return rows == [("sync",)]

    def _api_url(self, port: str) -> str:
        role = "motorcade_api"
        return f"postgresql://{role}:{self._model.place.passwords()[role]}@{LOOPBACK}:{port}/{DATABASE}"


def kill(server: EmbeddedPostgres) -> None:
    """As a power cut does: no process has time for anything."""
    for process in server.processes():
        process.signal(signal.SIGKILL)
    server.stop()


def discard(server: EmbeddedPostgres) -> None:
    """Stop a server whose data are thrown away."""
    if server.pid:
        os.kill(server.pid, signal.SIGQUIT)
    server.stop()
