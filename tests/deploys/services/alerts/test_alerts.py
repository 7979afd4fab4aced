"""What PLAT_09 puts on a host: by the channels that are configured, with no more rights than each unit needs."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any

import pyrage
import pytest
from pyinfra.context import ctx_host

from deploys.kit import secrets
from deploys.kit.errors import Refused
from deploys.kit.operations import hostfiles
from deploys.kit.secrets import Vault
from deploys.services.alerts import NTFY, SMTP, WEBHOOK, Alerts, alerts
from deploys.services.nginx import Edge
from tests.deploys.known_host import KnownHost, Page

NONE = Alerts(None, None, None, None, None, None, None, 60, 60, 21, 7, 2, 60)
ALL = replace(
    NONE,
    alerts_webhook_url="https://hooks.test/a?b=c",
    alerts_smtp_url="smtp://mail.test:587",
    alerts_mail_from="alerts@motorcade.test",
    alerts_mail_to="ann@motorcade.test, bob@motorcade.test",
    alerts_ntfy_url="https://ntfy.test/topic",
    alerts_dead_man_url="https://alive.test/1",
)
EDGE = Edge("edge.test", "/edge.pem", "/edge.key", 1, 1, 50, 1, 1, None, None)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """Without any secret yet."""
    key = pyrage.x25519.Identity.generate()
    (tmp_path / "identity").touch(mode=0o600)
    (tmp_path / "identity").write_text(f"{key}\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/manifest.yaml").write_text("# days\n")
    (tmp_path / "secrets/recipients.txt").write_text(f"{key.to_public()}\n")
    return Vault(tmp_path / "secrets", tmp_path / "identity")


@pytest.fixture
def host() -> Iterator[Any]:
    known: Any = KnownHost()
    known.groups = ["platform"]
    with ctx_host.use(known):
        yield known


def page(vault: Vault, own: Alerts) -> Any:  # noqa: ANN401 - as much of a page as is used
    made: Any = Page(disk_percent_max=80, secrets_directory=vault.directory, age_identity=vault.identity)
    made.settings.of = {Alerts: own, Edge: EDGE}.get
    return made


def settings(own: Alerts) -> Any:  # noqa: ANN401 - as much of the settings as is used
    return SimpleNamespace(of={Alerts: own}.get)


def test_a_channel_is_used_when_it_has_an_address() -> None:
    assert alerts.channels(settings(NONE)) == []
    assert alerts.channels(settings(ALL)) == ["webhook", "smtp", "ntfy"]
    assert alerts.channels(settings(replace(NONE, alerts_ntfy_url="https://ntfy.test/x"))) == ["ntfy"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"alerts_webhook_url": "http://hooks.test"},
        {"alerts_webhook_url": 'https://hooks.test/"'},
        {"alerts_ntfy_url": "https://ntfy.test/$(id)"},
        {"alerts_dead_man_url": "https://alive.test/`id`"},
        {"alerts_dead_man_url": "https://alive.test/a b"},
        {"alerts_dead_man_url": "https://alive.test/a\nb"},
        {"alerts_smtp_url": "mail.test:25"},
        {"alerts_mail_from": None},
        {"alerts_mail_to": "ann@motorcade.test,"},
        {"alerts_mail_to": "ann@motorcade.test; bob@motorcade.test"},
        {"alerts_ca_file": 'ca.pem"'},
    ],
)
def test_a_setting_that_could_not_work_is_refused_and_named(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(Refused, match=name):
        alerts.channels(settings(replace(ALL, **wrong)))


def test_each_group_of_hosts_is_judged_for_what_it_has(vault: Vault, host: Any) -> None:  # noqa: ANN401 - see above
    host.groups = ["edge"]
    found = alerts.values(page(vault, NONE))
    assert (found["database"], found["app"], found["edge"]) == (False, False, True)
    (check, _) = alerts.programs(**found)
    assert ("certificate()" in check.content, "intake()" in check.content) == (True, False)


@pytest.mark.usefixtures("host")
def test_optional_secrets_are_placed_when_they_are_there_and_gone_otherwise(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed, gone = [], []
    monkeypatch.setattr(secrets, "place", lambda _page, path, *_, **__: placed.append(path))
    monkeypatch.setattr(hostfiles, "absent", lambda _page, path: gone.append(path))
    vault.store(WEBHOOK, base64.b64encode(bytes(range(32))).decode())
    vault.store(NTFY, "tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2")
    alerts.place_secrets(page(vault, ALL))
    assert placed == [f"{alerts.SETTINGS}/webhook.key", f"{alerts.SETTINGS}/ntfy.conf"]
    assert gone == [f"{alerts.SETTINGS}/smtp.conf"]
    placed.clear()
    alerts.place_secrets(page(vault, NONE))
    assert placed == []
    assert SMTP not in vault.needed()


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "no such file"),
        ("A" * 24 + "!" * 8, "is not base64 of 24 to 64 bytes"),
        (base64.b64encode(bytes(range(23)) * 3).decode(), "is not base64 of 24 to 64 bytes"),
    ],
)
def test_a_webhook_without_a_usable_key_is_refused_at_load(vault: Vault, key: str, words: str) -> None:
    if key:
        vault.store(WEBHOOK, key)
    with pytest.raises(Refused, match=words):
        alerts.place_secrets(page(vault, replace(NONE, alerts_webhook_url="https://hooks.test")))


@pytest.mark.usefixtures("host")
def test_a_host_whose_troubles_reach_no_person_is_on_record(vault: Vault) -> None:
    silent, loud = page(vault, NONE), page(vault, ALL)
    alerts.warn(silent, [])
    alerts.warn(loud, ["webhook"])
    assert "no person hears" in silent.notes[0][1]["warning"]
    assert loud.notes == []


@pytest.mark.usefixtures("host")
def test_only_the_check_is_root_and_it_reaches_no_other_host(vault: Vault) -> None:
    units = {
        file.path.rpartition("/")[2]: file.content for file in alerts.units(**alerts.values(page(vault, ALL)))
    }
    assert set(units) == {*alerts.SERVICES, alerts.TIMER, alerts.HANDLER}
    main, check, test = (units[name] for name in alerts.SERVICES)
    for sender in (main, test):
        assert f"User={alerts.USER}\n" in sender
        assert "ReadWritePaths=" not in sender
    assert "User=" not in check
    assert "IPAddressDeny=any\nIPAddressAllow=localhost\n" in check
    assert f"ReadWritePaths=-{PurePosixPath(alerts.SAMPLES).parent}\n" in check
    assert "Wants=motorcade-alerts-check.service\nAfter=motorcade-alerts-check.service\n" in main
    for unit in (main, check, test, units[alerts.HANDLER]):
        assert "CapabilityBoundingSet=\n" in unit
        assert "ProtectSystem=strict\n" in unit
        assert "NoNewPrivileges=yes\n" in unit


@pytest.mark.usefixtures("host")
def test_a_unit_that_fails_starts_a_check_and_the_alerts_do_not_start_themselves(vault: Vault) -> None:
    found = {file.path: file.content for file in alerts.drop_ins(**alerts.values(page(vault, ALL)))}
    handled = [
        path.split("/")[4] for path, text in found.items() if "OnFailure=motorcade-alert@%N.service" in text
    ]
    assert handled == ["motorcade-.service.d", "nginx.service.d"]
    empty = {path.split("/")[4] for path, text in found.items() if "[Unit]" not in text}
    assert empty == {"motorcade-alert@.service.d", "motorcade-alerts.service.d", "motorcade-alerts-.service.d"}
    assert {path.rpartition("/")[2] for path in found} == {"50-alert.conf"}, "by one name, or they would add up"
