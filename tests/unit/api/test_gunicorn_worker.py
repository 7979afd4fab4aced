"""Our gunicorn worker: who always has something to do gives way to those for whom something arrived."""

import time
from contextlib import closing

import gevent
from gevent.socket import socket, socketpair

from leadgen.api.gunicorn_worker import IntakeWorker

HOPS = 40
MOST_TURNS_PER_HOP = 5  # gevent's sleep(0) let fifty pass before it looked at the sockets


def test_a_connection_that_never_waits_leaves_others_their_turns() -> None:
    worker = IntakeWorker.__new__(IntakeWorker)
    turns = 0

    def be_busy() -> None:
        nonlocal turns
        while True:
            turns += 1
            time.sleep(0.001)
            worker.give_way()

    def echo(end: socket) -> None:
        while piece := end.recv(1):
            end.sendall(piece)

    near, far = socketpair()
    with closing(near), closing(far):
        greenlets = [gevent.spawn(be_busy), gevent.spawn(echo, far)]
        for _ in range(HOPS // 2):
            near.sendall(b".")
            near.recv(1)
        gevent.killall(greenlets)
    assert HOPS // 2 <= turns <= HOPS * MOST_TURNS_PER_HOP
