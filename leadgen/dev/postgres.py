"""An embedded PostgreSQL in one directory, run from the wheel's binaries as a child of this process."""

import hashlib
import os
import secrets
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import quote

from leadgen.dev import processes, wheels
from leadgen.dev.account import PLAIN_ENVIRON, for_postgres
from leadgen.dev.child import Child, last_lines, spawn, stop
from leadgen.dev.errors import CannotStart
from leadgen.dev.fallback_dir import fresh_fallback_dir
from leadgen.dev.ports import LOOPBACK, remembered_port
from leadgen.dev.processes import POLL_SECONDS, Process

SUPERUSER: Final = "postgres"
DATABASE: Final = "postgres"  # the one that initdb creates; this server has no other purpose
START_SECONDS: Final = 60  # a crash recovery reads the whole write-ahead log
STOP_SECONDS: Final = 10

# The same ordering and character classes on every machine, whatever its locales.
_LOCALE: Final = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
# As on a host: statements, their parameters and the details of an error contain personal data.
_NO_ROWS_IN_LOG: Final = {
    "log_min_error_statement": "panic",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}


class EmbeddedPostgres:
    """The directory keeps the data, the superuser's password and the port between starts.

    Listens on the loopback address only: a Unix socket's path is limited to 107 bytes, too few for many projects.
    """

    def __init__(
        self, directory: Path, *, settings: Mapping[str, str] | None = None, log: Path | None = None
    ) -> None:
        self.directory = directory.absolute()
        self.port = 0
        self._settings = dict(settings or {})
        self._log = log or self.directory / "postgres.log"
        self._account = for_postgres()
        self._child: Child | None = None
        # In the title of every process of the server, so that those of another directory are not taken for ours.
        self._name = "leadgen-" + hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:12]

    def start(self) -> None:
        """Return when the server accepts connections; processes left by an earlier run are ended first."""
        self.stop()
        if not self.exists:
            self._initialise()
        self.port = remembered_port(self.directory / "port")
        self._child = spawn(
            [self._programs / "postgres", "-D", self._data, *self._options],
            log=self._log,
            environ=PLAIN_ENVIRON,
            last_signal=signal.SIGINT,  # PostgreSQL's fast shutdown
            account=self._account,
        )
        self._wait_until_ready(self._child)

    def stop(self) -> None:
        """Fast shutdown, which rolls back open transactions."""
        if self._child:
            stop(self._child, (signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, STOP_SECONDS))
        self._child = None
        self._end_leftovers()

    @cached_property
    def home(self) -> Path:
        """The data's folder: the directory, or another one if our user cannot enter that (in /root, say)."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o711)
        link = self.directory / "elsewhere"  # keeps the choice, even if a parent's mode changes later
        if not link.exists() and not self._account.can_enter(self.directory):
            link.symlink_to(fresh_fallback_dir(self._name))
        return link.resolve() if link.exists() else self.directory

    @property
    def exists(self) -> bool:
        """Whether an earlier run has created the data."""
        return self._data.exists()

    @property
    def user(self) -> str:
        """The user it runs as."""
        return self._account.name

    @property
    def retired(self) -> bool:
        """Never: a server only ends when something is wrong."""
        return False

    @property
    def pid(self) -> int | None:
        """The postmaster's pid, while it runs."""
        return self._child.pid if self._child and self._child.poll() is None else None

    @property
    def superuser_url(self) -> str:
        return self.url(DATABASE, SUPERUSER, self._password_file.read_text(encoding="ascii"))

    def url(self, database: str, user: str, password: str) -> str:
        return f"postgresql://{quote(user)}:{quote(password)}@{LOOPBACK}:{self.port}/{quote(database)}"

    def processes(self) -> list[Process]:
        """The postmaster, if it is alive, and its children, including any that outlived it."""
        return processes.where(self._is_ours)

    def _is_ours(self, process: Process) -> bool:
        command = process.command
        title = f"postgres: {self._name}: "
        return process.user == self._account.uid and (
            command[0].startswith(title)
            or (Path(command[0]).name == "postgres" and command[1:3] == ("-D", str(self._data)))
        )

    def _end_leftovers(self) -> None:
        """End processes that outlived an earlier run; only then is postmaster.pid certainly stale.

        PostgreSQL itself refuses to start while any process, even an unrelated one, has the pid in that file.
        """
        left = self.processes()
        for process in left:
            process.signal(signal.SIGCONT)  # a postmaster waits for its children, even a frozen one
        postmasters = [process for process in left if len(process.command) > 1]
        processes.end(postmasters, signal.SIGINT, STOP_SECONDS)
        processes.end(self.processes(), signal.SIGQUIT, 1)
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    @property
    def _data(self) -> Path:
        return self.home / "data"

    @property
    def _password_file(self) -> Path:
        return self.home / "superuser.password"

    @cached_property
    def _programs(self) -> Path:
        return wheels.postgres_programs(self._account)

    @property
    def _options(self) -> Iterator[str]:
        settings = {
            "cluster_name": self._name,
            "port": str(self.port),
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            "log_line_prefix": "%m [%p] %a ",
            **_NO_ROWS_IN_LOG,
            **self._settings,
        }
        for name, value in settings.items():
            yield "-c"
            yield f"{name}={value}"

    def _initialise(self) -> None:
        unfinished = self.home / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        self._account.take(unfinished, 0o700)
        self._password_file.touch()
        self._account.take(self._password_file, 0o600)
        self._password_file.write_text(secrets.token_urlsafe(24), encoding="ascii")
        with wheels.initdb(self._account) as initdb:
            done = self._account.run(
                initdb,
                *("-D", unfinished, "-U", SUPERUSER, f"--pwfile={self._password_file}"),
                *("--auth=scram-sha-256", "--data-checksums", *_LOCALE),
            )
        if done.returncode:
            raise CannotStart("initdb", done.stderr.strip(), f"fix that and start again ({unfinished})")
        unfinished.rename(self._data)

    def _wait_until_ready(self, child: Child) -> None:
        until = time.monotonic() + START_SECONDS
        while child.poll() is None and time.monotonic() < until:
            if self._says_ready(child.pid):
                return
            time.sleep(POLL_SECONDS)
        self.stop()
        raise CannotStart("PostgreSQL", f"it did not start:{last_lines(self._log)}\n", f"read {self._log}")

    def _says_ready(self, pid: int) -> bool:
        """Whether the eighth line of postmaster.pid says ready: the server writes its state there for pg_ctl."""
        try:
            lines = os.fsdecode((self._data / "postmaster.pid").read_bytes()).splitlines()
        except FileNotFoundError:
            return False
        return lines[:1] == [str(pid)] and lines[7:8] != [] and lines[7].strip() == "ready"
