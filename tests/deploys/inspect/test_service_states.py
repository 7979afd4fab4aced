"""Status and drift ask every service that has something to say, and only those of the host's groups."""

import inspect
from types import SimpleNamespace
from typing import Any

import pytest

from deploys.inspect import service_states

# What a state.py may offer to status and drift -> its arguments.
OFFERS = {
    "troubles": ["host", "settings", "release"],
    "differences": ["host", "settings"],
    "news": ["host"],
}


def on(*groups: str) -> Any:  # noqa: ANN401 - what is read of a host
    return SimpleNamespace(groups=groups)


def test_each_host_asks_the_services_of_its_groups_in_their_order() -> None:
    assert set(service_states.states(on("platform"))) == {"backup", "nginx", "leadgen", "alerts"}
    assert list(service_states.states(on("platform")))[-2:] == ["leadgen", "alerts"]
    assert list(service_states.states(on("database"))) == ["backup", "alerts"]
    assert list(service_states.states(on("app"))) == ["leadgen", "alerts"]


def test_what_a_service_offers_can_be_called_as_it_will_be() -> None:
    for name, state in service_states.states(on("platform")).items():
        offered = [one for one in OFFERS if hasattr(state, one)]
        assert offered, f"{name}: its state.py offers nothing"
        for one in offered:
            words = [word.strip("_") for word in inspect.signature(getattr(state, one)).parameters]
            assert words == OFFERS[one], f"{name}: {one}"


def test_what_services_say_is_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    well = SimpleNamespace(troubles=lambda *_: [], news=lambda _: "")
    ill = SimpleNamespace(
        troubles=lambda *_: ["a: b; c"], differences=lambda *_: [("key", "d: e; f")], news=lambda _: "good"
    )
    monkeypatch.setattr(service_states, "states", lambda _: {"well": well, "ill": ill})
    nothing: Any = None
    assert service_states.troubles(nothing, None, None) == {"well": [], "ill": ["a: b; c"]}
    assert list(service_states.differences(nothing, nothing)) == [("key", "d: e; f")]
    assert service_states.news(nothing) == ["good"]
