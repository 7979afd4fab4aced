"""The connection of a run: its option on real sockets, its output over real SSH."""

import socket
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import paramiko
import pytest
from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host
from pyinfra.connectors.ssh import SSHConnector
from typing_extensions import override

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


class Printing(paramiko.ServerInterface):
    """An SSH server on which each command prints the same."""

    def __init__(self, printed: bytes) -> None:
        self.printed = printed

    @override
    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.common.AUTH_SUCCESSFUL

    @override
    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    @override
    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._print, args=(channel,)).start()
        return True

    def _print(self, channel: paramiko.Channel) -> None:
        channel.makefile("rb").read()  # the client has sent all that it sends
        channel.sendall(self.printed)
        channel.sendall_stderr(b"on standard error: " + self.printed)
        channel.send_exit_status(0)
        channel.close()


@pytest.fixture
def shell() -> Iterator[SSHConnector]:
    """The connector of a host whose commands print bytes that are no text, then their status."""
    here, there = socket.socketpair()
    server, client = paramiko.Transport(there), paramiko.SSHClient()
    server.add_server_key(paramiko.RSAKey.generate(2048))
    server.start_server(threading.Event(), Printing(b"first \xf6\xc3\nstatus=3\n"))
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect("host", sock=here, username="x", password="x", allow_agent=False, look_for_keys=False)
    connector: Any = SSHConnector.__new__(SSHConnector)
    connector.state, connector.client = None, client
    connector.host = SimpleNamespace(name="host", print_prefix="", connector_data={}, connector=connector)
    with here, there:
        yield connector
        client.close()
        server.close()
        server.join(10)


def test_output_that_is_no_text_does_not_end_the_output(shell: SSHConnector) -> None:
    wire.read_any_bytes(shell.host)
    good, output = shell.run_shell_command(StringCommand("true"), _timeout=20)
    assert good
    assert output.stdout_lines == ["first \ufffd\ufffd", "status=3"]
    assert output.stderr_lines == ["on standard error: first \ufffd\ufffd", "status=3"]
