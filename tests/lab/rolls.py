"""Rolls of a lab host to releases that a test made for itself, and what its callers have seen of them."""

import json

from tests.lab.deploying import Ended, deploy
from tests.lab.host import Host
from tests.lab.load import Load, reckon
from tests.lab.releases import Repository


def roll(host: Host, repository: Repository, tag: str) -> Ended:
    return deploy(host, "leadgen_02", data={"leadgen_git_ref": tag}, environ=repository.environ)


def rolled(host: Host, repository: Repository, tag: str) -> None:
    ended = roll(host, repository, tag)
    assert ended.code == 0, ended.output
    assert release(host).startswith(f"{tag}-"), release(host)


def release(host: Host) -> str:
    """What the running API calls itself."""
    answer = host.root("curl --silent --fail --max-time 10 http://127.0.0.1:8000/lead/health").stdout
    return str(json.loads(answer)["release"])


def all_well(host: Host, callers: Load) -> None:
    """Nobody was refused, and every acknowledged lead is there once."""
    assert callers.failed == [], f"{len(callers.failed)} of {len(callers.answers)}: {callers.failed[:5]}"
    found = reckon(host, callers.accepted)
    assert found == {"once": len(callers.accepted)}, found
