"""A gate: green at once, green after a wait, or red with its reason; only a red one is a command."""

from deploys.kit.facts import Answer
from deploys.kit.operations import gate
from tests.deploys.known_host import GREEN, RED, KnownHost, Page

LOOK = "timeout 10 sh -c 'ask it'"


def gated(host: KnownHost) -> list[str]:
    commands = host.run(gate._wait, page=Page(), probe="ask it", seconds=20, service="redis")  # noqa: SLF001 - the operation
    return [command.get_raw_value() for command in commands]


def test_a_green_one_neither_waits_nor_changes_anything() -> None:
    host = KnownHost(probes={"ask it": GREEN})
    assert gated(host) == []
    assert host.noops == ["PLAT_99: green"]


def test_one_that_becomes_green_while_the_page_waits_has_changed_nothing() -> None:
    host = KnownHost(probes={"until": GREEN, "ask it": RED})
    assert gated(host) == []
    assert host.noops == ["PLAT_99: green after a wait"]


def test_one_that_stays_red_fails_with_its_answer_and_the_last_lines_of_the_log() -> None:
    (command,) = gated(KnownHost(probes={"ask it": Answer(1, ["no"])}))
    # Green after all, between the wait and this look, is green.
    assert command.startswith(f"{LOOK} || {{ echo 'not green within 20 seconds'; ")
    assert "tail -n 30 /var/log/motorcade/redis/container.log" in command
    assert command.endswith("exit 1; }")


def test_it_is_never_waited_for_while_the_run_is_only_planned() -> None:
    host = KnownHost(probes={"until": GREEN, "ask it": RED})
    host.state.is_executing = False
    assert len(gated(host)) == 1
