"""What deploys.drift reports on a lab host."""

import json
import subprocess
import sys
from typing import Any

from tests.lab.host import Host


def look(host: Host, *words: str) -> tuple[int, dict[str, Any], dict[tuple[str, str], dict[str, str]]]:
    """How deploys.drift ends, its report on the host, and its findings by kind and name."""
    line = [sys.executable, "-m", "deploys.drift", "inventories/lab.py", "--limit", host.name, "--json", *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout, done.stderr
    (told,) = json.loads(done.stdout)
    return done.returncode, told, {(each["kind"], each["where"]): each for each in told["findings"]}
