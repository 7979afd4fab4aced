"""The option of a run's socket, on real sockets; what is below it (SSH, its channels) is made up."""

import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyinfra.api.host import Host
from pyinfra.connectors.ssh import SSHConnector

from deploys.kit.run import wire


@pytest.fixture
def made() -> Iterator[socket.socket]:
    with socket.socket() as made:
        yield made


def connected(sock: object) -> Host:
    connector = SSHConnector.__new__(SSHConnector)
    client: Any = SimpleNamespace(get_transport=lambda: sock and SimpleNamespace(sock=sock))
    connector.client = client
    return cast("Host", SimpleNamespace(connector=connector))


def delay_is_off(made: socket.socket) -> bool:
    return bool(made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


def test_a_run_over_ssh_sends_each_packet_at_once(made: socket.socket) -> None:
    assert not delay_is_off(made)
    wire.send_at_once(connected(made))
    assert delay_is_off(made)


@pytest.mark.parametrize("sock", [None, object()], ids=["no longer connected", "channel of a jump host"])
def test_a_connection_without_a_socket_of_its_own_is_left_alone(sock: object) -> None:
    wire.send_at_once(connected(sock))


def test_a_host_that_is_this_machine_has_no_connection() -> None:
    wire.send_at_once(cast("Host", SimpleNamespace(connector=object())))
