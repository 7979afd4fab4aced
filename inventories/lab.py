"""The running disposable hosts, whose addresses tests/lab writes."""

from pathlib import Path

from deploys.kit.errors import Refused

_lab = Path(__file__).resolve().parent.parent / ".lab"

platform = [
    (
        file.parent.name,
        {
            "ssh_hostname": file.read_text(encoding="ascii").strip(),
            "ssh_user": "operator",
            "ssh_key": str(file.parent / "key"),
            "ssh_known_hosts_file": str(file.parent / "known_hosts"),
            "ssh_strict_host_key_checking": "yes",
        },
    )
    for file in sorted(_lab.glob("*/address"))
]

if not platform:
    raise Refused("inventories/lab.py", "no lab host is up", "run `make lab`")
