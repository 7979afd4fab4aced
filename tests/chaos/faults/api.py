"""Faults of the API's processes and of its keys file."""

import signal
from collections.abc import Iterator

from tests.chaos.faults.freezing import frozen
from tests.chaos.faults.kind import fault
from tests.chaos.load import Load
from tests.chaos.stack import Stack


@fault("api", breaks=True)
def api_worker_killed(stack: Stack, _: Load) -> Iterator[None]:
    _kill_workers(stack, 1)
    yield


@fault("api", breaks=True)
def all_api_workers_killed(stack: Stack, _: Load) -> Iterator[None]:
    _kill_workers(stack, 99)
    yield


@fault("api", seconds=2, breaks=True)  # its workers continue for a moment
def api_master_killed(stack: Stack, _: Load) -> Iterator[None]:
    stack.processes("api")[0].signal(signal.SIGKILL)
    yield


@fault("api", seconds=2, breaks=True)  # what is in flight is answered first
def api_told_to_end(stack: Stack, _: Load) -> Iterator[None]:
    stack.processes("api")[0].signal(signal.SIGTERM)
    yield


@fault("api", seconds=2, breaks=True)  # what is in flight is answered first
def api_told_to_reload(stack: Stack, _: Load) -> Iterator[None]:
    stack.processes("api")[0].signal(signal.SIGHUP)
    yield


@fault("api", seconds=2, breaks=True)  # a connection may idle for too long meanwhile
def api_worker_frozen(stack: Stack, _: Load) -> Iterator[None]:
    with frozen(stack.processes("api")[1:2]):
        yield


@fault("api", seconds=3, isolated=True, shows="api_keys")
def keys_file_spoilt(stack: Stack, _: Load) -> Iterator[None]:
    file = stack.place.api_keys_file
    good = file.read_text(encoding="utf-8")
    _replace(stack, "no line of a key\n")
    try:
        yield
    finally:
        _replace(stack, good)


def _kill_workers(stack: Stack, most: int) -> None:
    for worker in stack.processes("api")[1:][:most]:
        worker.signal(signal.SIGKILL)


def _replace(stack: Stack, text: str) -> None:
    """By rename, as an operator must."""
    file = stack.place.api_keys_file
    fresh = file.with_name("api-keys.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.rename(file)
