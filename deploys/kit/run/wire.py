"""The connection below a run's commands."""

import socket

from pyinfra.api.host import Host
from pyinfra.connectors.ssh import SSHConnector


def send_at_once(host: Host) -> None:
    """Send each packet to a connected host as it is written.

    A command's end and the next command's begin are two small packets. The kernel holds the second back until the
    first is acknowledged (Nagle), and the host delays that by 40 ms: more than most of our commands take.
    """
    if isinstance(host.connector, SSHConnector) and host.connector.client:
        transport = host.connector.client.get_transport()
        # Behind a jump host it is a channel of another connection.
        if transport and isinstance(transport.sock, socket.socket):
            transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
