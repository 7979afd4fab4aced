"""ShellCheck over many scripts at once, with each fault named by where its script is from."""

import json
import subprocess
import sysconfig
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.shell.script import Script

PROGRAM: Final = Path(sysconfig.get_path("scripts")) / "shellcheck"
IGNORED: Final = {
    2174: "mkdir -p -m: what is closed is the folder that is named; its parents may be seen",
}
IGNORED_IN_COMMANDS: Final = {
    2012: "ls: the names are our own, and only it sorts by time",
    2016: "$ between single quotes: a script for another shell, which is checked by itself",
    2043: "a loop over one: its list is made, and longer for another page",
}
SIDE_BY_SIDE: Final = 2


def faults(scripts: Sequence[Script]) -> list[str]:
    """Each as `where:line: SCnnnn what`. Raises RuntimeError where not all could be read."""
    kinds = sorted({(script.dialect, script.is_file) for script in scripts})
    with TemporaryDirectory() as folder, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        (Path(folder) / "named").mkdir()
        for script in scripts:
            if script.is_file:  # for whoever reads it by `.` and names it as its source
                (Path(folder) / "named" / script.name).write_text(script.text, encoding="utf-8")
        alike = [[script for script in scripts if (script.dialect, script.is_file) == kind] for kind in kinds]
        parts = [part[start::SIDE_BY_SIDE] for part in alike for start in range(SIDE_BY_SIDE)]
        found = pool.map(partial(_faults, Path(folder)), filter(None, parts))
        return sorted({fault for part in found for fault in part})


def _faults(folder: Path, scripts: Sequence[Script]) -> list[str]:
    files = {str(folder / str(id(script))): script for script in scripts}
    for path, script in files.items():
        Path(path).write_text(script.text, encoding="utf-8")
    ignored = {**IGNORED, **({} if scripts[0].is_file else IGNORED_IN_COMMANDS)}
    options = [
        f"--shell={scripts[0].dialect}",
        f"--exclude={','.join(map(str, ignored))}",
        f"--source-path={folder}/named",
    ]
    done = subprocess.run(
        [PROGRAM, "--norc", "--format=json1", "--external-sources", *options, *files],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in (0, 1) or done.stderr:  # 1 is for faults
        raise RuntimeError(f"shellcheck: {done.stderr or done.returncode}; read its documentation of exit codes")
    said = json.loads(done.stdout)["comments"]
    return [
        f"{files[fault['file']].where}:{fault['line']}: SC{fault['code']} {fault['message']}"
        for fault in said
        if fault["file"] in files
    ]
