"""The embedded Redis: answers only to its password, and is the only one of its folder."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from leadgen.dev.redis import OPERATOR, EmbeddedRedis

PARENT = """
import sys, time
from pathlib import Path
from leadgen.dev.redis import EmbeddedRedis
server = EmbeddedRedis(Path(sys.argv[1]))
server.start()
print("up", flush=True)
time.sleep(600)
"""


def test_it_answers_to_its_password_only(redis_server: EmbeddedRedis) -> None:
    with redis.Redis.from_url(redis_server.url(OPERATOR)) as client:
        assert client.ping()
    with (
        redis.Redis(host="127.0.0.1", port=redis_server.port) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.ping()


def test_it_comes_back_at_the_same_address(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path)
    server.start()
    before = server.url(OPERATOR)
    server.stop()
    assert server.pid is None
    server.start()
    assert server.url(OPERATOR) == before
    with redis.Redis.from_url(before) as client:
        assert client.ping()
    server.stop()


@pytest.mark.parametrize(
    "name", ["two words", "it's", 'a "quote"', "back\\slash", "ü", "two\nlines", "$HOME `id` #1"]
)
def test_a_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    server = EmbeddedRedis(tmp_path / name)
    server.start()
    with redis.Redis.from_url(server.url(OPERATOR)) as client:
        assert client.config_get("dir") == {"dir": str(tmp_path / name)}
    assert len(server.processes()) == 1
    server.stop()
    assert server.processes() == []


def test_a_frozen_server_of_a_killed_parent_is_replaced(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    with parent.stdout:
        assert parent.stdout.readline() == "up\n"
    server = EmbeddedRedis(tmp_path)
    (left,) = server.processes()
    left.signal(signal.SIGSTOP)
    parent.kill()
    parent.wait()
    before = left.alive
    server.start()
    assert (before, left.alive) == (True, False)
    with redis.Redis.from_url(server.url(OPERATOR)) as client:
        assert client.ping()
    server.stop()
