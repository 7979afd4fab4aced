"""The whole dev profile: servers, database, key and services, and the order in which they start and stop."""

import contextlib
import errno
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from leadgen.config import PREFIX, Config, environ_with
from leadgen.dev.child import last_lines
from leadgen.dev.database import Urls, prepare_database
from leadgen.dev.errors import CannotStart
from leadgen.dev.lock import Lock
from leadgen.dev.place import LOCK_FILE, SESSIONS_FILE, Place, is_of_a_profile, new_password
from leadgen.dev.ports import bind_once
from leadgen.dev.postgres import EmbeddedPostgres
from leadgen.dev.redis import BELL, WORKER, EmbeddedRedis
from leadgen.dev.screen import Screen
from leadgen.dev.service import Service
from leadgen.dev.sessions import Sessions
from leadgen.dev.supervisor import Supervisor
from leadgen.dev.terminal import Terminal
from leadgen.store.migrations import migrate

READY_SECONDS: Final = 30

_ANOTHER_PORT: Final = "use another port: `make run PORT=8001`"


def run(config: Config, folder: Path, screen: Screen) -> None:
    """Serve until Ctrl-C, SIGTERM or the end of the terminal. Raises LeadgenError when a part does not start."""
    place, terminal = Place(folder.absolute()), Terminal()
    try:
        place.make()
        lock = Lock(place.folder / LOCK_FILE, f"http://{config.bind}")
        with lock, _stopping_in_order(screen, terminal) as supervisor:
            profile = _Profile(config, place, screen, supervisor)
            profile.start()
            supervisor.run(terminal.is_gone)
    except PermissionError as error:
        raise CannotStart(
            str(error.filename or place.folder),
            "you have no access to it",
            "run as the user who created it, or remove it and start over",
        ) from None


@contextlib.contextmanager
def _stopping_in_order(screen: Screen, terminal: Terminal) -> Iterator[Supervisor]:
    """Lend a supervisor that is always stopped at the end; a stop signal is a normal end."""
    wishes = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as `nohup` has it
        wishes.append(signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in wishes}
    supervisor = Supervisor(screen.note)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield supervisor
    finally:
        for number in wishes:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave some parts running
        if terminal.is_gone():
            screen.close()
        if supervisor.has_parts:
            with screen.step("Stop"):
                supervisor.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(slots=True)
class _Profile:
    config: Config
    place: Place
    screen: Screen
    supervisor: Supervisor

    def start(self) -> None:
        sessions = Sessions(self.place.folder / SESSIONS_FILE)
        sessions.begin()
        _check_free(self.config.bind)
        key = self.place.api_key()
        database, redis = self._start_postgres(), self._start_redis()
        environ = (
            (
                {"LEADGEN_DATABASE_URL": database.app, "LEADGEN_OWNER_DATABASE_URL": database.owner}
                if database
                else {}
            )
            | ({"LEADGEN_REDIS_URL": redis.url(BELL)} if redis else {})
            | self._settings()
        )
        self.place.write_environment(environ)
        services_environ = environ_with(**environ)
        for secret in ("LEADGEN_OWNER_DATABASE_URL", "LEADGEN_OWNER_DATABASE_PASSWORD"):
            for name in (secret, secret + "_FILE"):
                services_environ.pop(name, None)  # services must not change the schema
        services_environ.pop("LEADGEN_ERASURE_KEY", None)  # the profile has a key of its own
        if passed := sorted(name for name in services_environ if name.startswith(PREFIX) and name not in environ):
            self.screen.note(f"your shell's own settings are in use: {', '.join(passed)}")
        own = {
            "worker": {"LEADGEN_REDIS_URL": redis.url(WORKER)} if redis else {},
            "sweeper": {},
            "api": {"LEADGEN_DATABASE_URL": database.api} if database else {},
        }
        with self.screen.step("API, worker and sweeper"):
            for name, command in (("worker", "worker"), ("sweeper", "sweep"), ("api", "serve")):
                log = self.place.log(name)
                service = Service(command, services_environ | own[name], log, sessions)
                self.supervisor.start(name, service, log)
            self._wait_until_ready()
        self.screen.welcome(self._address, key, self.place.folder)

    @property
    def _address(self) -> str:
        return f"http://{self.config.bind}"

    def _start_postgres(self) -> Urls | None:
        """None if an external one is used."""
        if url := self._others("LEADGEN_DATABASE_URL", self.config.database_url):
            self._use_postgres(url)
            return None
        log = self.place.log("postgres")
        server = EmbeddedPostgres(self.place.folder / "postgres", log=log)
        with self.screen.step("PostgreSQL 18" if server.exists else "PostgreSQL 18, with a new database"):
            self.supervisor.start("postgres", server, log)
        if server.home != server.directory:
            self.screen.note(
                f"its data is in {server.home}: the user {server.user} has no access to {server.directory}"
            )
        with self.screen.step("Database"):
            return prepare_database(server, self.place.passwords(), self.screen.note)

    def _others(self, setting: str, url: str | None) -> str | None:
        """The URL, unless a profile made it: the shell has then only read a profile's `environment`."""
        if url and is_of_a_profile(url):
            self.screen.note(f"{setting} is from a dev profile (`. .dev/environment`), so it is ignored")
            return None
        return url

    def _use_postgres(self, url: str) -> None:
        """An external server: its owner manages the roles, we manage the schema."""
        owner_url = self._others("LEADGEN_OWNER_DATABASE_URL", self.config.owner_database_url) or url
        with self.screen.step("Database of LEADGEN_DATABASE_URL"):
            migrate(owner_url, report=self.screen.note)

    def _start_redis(self) -> EmbeddedRedis | None:
        """None if an external one is used."""
        if self._others("LEADGEN_REDIS_URL", self.config.redis_url):
            return None
        log = self.place.log("redis")
        server = EmbeddedRedis(self.place.folder / "redis", new_password=new_password, log=log)
        with self.screen.step("Redis"):
            self.supervisor.start("redis", server, log)
        return server

    def _settings(self) -> dict[str, str]:
        return {
            "LEADGEN_API_KEYS_FILE": str(self.place.api_keys_file),
            "LEADGEN_BIND": self.config.bind,
            "LEADGEN_ERASURE_KEY_FILE": str(self.place.erasure_key_file()),
            "LEADGEN_PROFILE": "dev",
        }

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + READY_SECONDS
        while time.monotonic() < until:
            with contextlib.suppress(urllib.error.URLError, OSError):
                urllib.request.urlopen(f"{self._address}/lead/ready", timeout=2).close()  # noqa: S310 - http, by the line above
                return
            self.supervisor.run_once(time.monotonic())
            time.sleep(0.1)
        log = self.place.log("api")
        raise CannotStart("api", f"it is not ready after {READY_SECONDS} s:{last_lines(log)}\n", f"read {log}")


def _check_free(bind: str) -> None:
    host, _, port = bind.rpartition(":")
    try:
        bind_once(int(port), host)
    except OSError as error:
        raise _obstacle(error, host, port) from None


def _obstacle(error: OSError, host: str, port: str) -> CannotStart:
    match error.errno:
        case errno.EADDRINUSE:
            return CannotStart(
                f"port {port}", "another program is listening there", f"stop it, or {_ANOTHER_PORT}"
            )
        case errno.EACCES:
            return CannotStart(f"port {port}", "only root may listen on it, and you are not root", _ANOTHER_PORT)
        case errno.EADDRNOTAVAIL:
            what = f"{host} is not an address of this machine"
        case _:
            what = f"{host} cannot be used ({error.strerror})"
    return CannotStart("LEADGEN_BIND", what, "unset it, or set it to one of this machine, such as 127.0.0.1:8000")
