"""Every rule of the house for units: a good unit passes, and each fault is named."""

import os
import subprocess
from pathlib import Path

import pytest

from deploys.kit.operations import hostfiles
from deploys.kit.quadlet import linter
from deploys.kit.quadlet.linter import lint, seconds, service_of, unit_of

PATH = "/etc/containers/systemd/motorcade-redis.container"
DROP_IN = f"{PATH}.d/20-more.conf"
ID = "0123456789abcdef" * 4
GOOD = f"""
[Unit]
Description=Motorcade: Redis
StartLimitIntervalSec=5min
StartLimitBurst=5

[Container]
ContainerName=motorcade-redis
Image=localhost/motorcade-redis:8-0123456789ab
Pull=never
Label=motorcade.config={ID}
Network=motorcade-core.network
PublishPort=127.0.0.1:6379:6379
Environment=TZ=UTC PASSWORD_FILE=/run/secrets/redis
HealthCmd=/usr/local/bin/redis-healthy
HealthInterval=disable
LogDriver=k8s-file
LogOpt=path=/var/log/motorcade/redis/container.log
LogOpt=max-size=16mb
StopTimeout=20

[Service]
Restart=always
RestartSec=2
TimeoutStartSec=1min 30s
TimeoutStopSec=30
MemoryMax=512M
TasksMax=128
CPUQuota=100%

[Install]
WantedBy=motorcade.target
"""
GENERATORS = (
    os.environ.get("QUADLET_GENERATOR", ""),
    "/usr/local/lib/systemd/system-generators/podman-system-generator",
    "/usr/lib/systemd/system-generators/podman-system-generator",
)


def with_line(section: str, line: str) -> str:
    """The good unit with one more line; a scalar given again wins."""
    before, head, after = GOOD.partition(f"[{section}]\n")
    body, blank, rest = after.partition("\n\n")
    return f"{before}{head}{body}\n{line}{blank}{rest}"


def without(key: str) -> str:
    return "\n".join(line for line in GOOD.splitlines() if not line.startswith(f"{key}="))


def test_a_good_unit_has_no_fault() -> None:
    assert lint({PATH: GOOD}) == []


@pytest.mark.parametrize(
    "value",
    [
        "8000:8080",
        "8080",
        "0.0.0.0:8000:8080",
        "192.168.0.1:8000:8080",
        ":8000:8080",
        ":::8000:8080",
        "[::]:8000:8080",
        "::1:8000:8080",
        "8000-8010:8000-8010",
        "0.0.0.0:8000-8010:8000-8010/udp",
        "127.0.0.1:8080",
        "127.0.0.1::8080",
        "localhost:8000:8080",
        "${ADDRESS}:8000:8080",
        "1127.0.0.1:80:80",
    ],
)
def test_a_port_that_is_open_to_others_is_a_fault(value: str) -> None:
    assert lint({PATH: with_line("Container", f"PublishPort={value}")}) == [
        f"motorcade-redis.container: PublishPort={value} is not bound to loopback; write 127.0.0.1:HOST:CONTAINER"
    ]


@pytest.mark.parametrize("value", ["127.0.0.1:80:80/tcp", "[::1]:8000:8080", "127.0.0.1:8000-8010:8000-8010"])
def test_a_port_on_loopback_is_none(value: str) -> None:
    assert lint({PATH: with_line("Container", f"PublishPort={value}")}) == []


@pytest.mark.parametrize(
    "value", ["host", "host:x", "ns:/proc/1/ns/net", "pasta:-t,8000", "bridge", "slirp4netns"]
)
def test_a_network_that_is_none_of_ours_is_a_fault(value: str) -> None:
    (fault,) = lint({PATH: with_line("Container", f"Network={value}")})
    assert f"Network={value} is not one of our networks" in fault


@pytest.mark.parametrize("value", ["none", "motorcade-core.network:ip=10.89.10.5"])
def test_our_networks_are_none(value: str) -> None:
    assert lint({PATH: with_line("Container", f"Network={value}")}) == []


@pytest.mark.parametrize(
    "value",
    [
        "-p 8000:8080",
        "-p8000:8080",
        "-dp 8000:8080",
        "-P",
        "--publish 8000:8080",
        "--publish=8000:8080",
        "--publish-all",
        "--log-driver=journald",
        "--log-driver journald",
        "--net=host",
        "--network host",
        "--privileged",
        "--tz=UTC --privileged",
        '"--privileged"',
        "--env=REDIS_PASSWORD=x",
        "--pid=host",
        "--pull=always",
    ],
)
@pytest.mark.parametrize("key", ["PodmanArgs", "GlobalArgs"])
def test_arguments_that_go_round_the_rules_are_a_fault(key: str, value: str) -> None:
    (fault,) = lint({PATH: with_line("Container", f"{key}={value}")})
    assert f"{key}={value}: " in fault


def test_other_arguments_are_none() -> None:
    assert lint({PATH: with_line("Container", "PodmanArgs=--memory-swappiness 0 --init-path=/p")}) == []


@pytest.mark.parametrize(
    "image",
    [
        "redis",
        "redis:8",
        "docker.io/library/redis:latest",
        "localhost/motorcade-redis:latest",
        "localhost/motorcade-redis:8",
        "localhost/motorcade-redis:8-0123456789a",
        "localhost/other:8-0123456789ab",
        "motorcade-redis.build",
        ID[:12],
        f"redis@sha256:{ID[:63]}",
        "",
    ],
)
def test_an_image_without_a_pin_is_a_fault(image: str) -> None:
    (fault,) = lint({PATH: with_line("Container", f"Image={image}")})
    assert f"Image={image} is not a pin" in fault


@pytest.mark.parametrize("image", [ID, f"sha256:{ID}", f"docker.io/library/redis@sha256:{ID}"])
def test_a_pinned_image_is_none(image: str) -> None:
    assert lint({PATH: with_line("Container", f"Image={image}")}) == []


@pytest.mark.parametrize(
    ("section", "line", "fault"),
    [
        ("Container", "Memory=1G", "[Container] Memory= in motorcade-redis.container is unknown"),
        ("Container", "ReloadCmd=x", "[Container] ReloadCmd= in motorcade-redis.container is unknown"),
        ("Container", "ReloadSignal=HUP", "[Container] ReloadSignal= in motorcade-redis.container is unknown"),
        ("Container", "Retry=3", "[Container] Retry= in motorcade-redis.container is unknown"),
        ("Container", "HttpProxy=false", "[Container] HttpProxy= in motorcade-redis.container is unknown"),
        ("Container", "logdriver=none", "[Container] logdriver= in motorcade-redis.container is unknown"),
        ("Container", "StartLimitBurst=3", "[Container] StartLimitBurst= in motorcade-redis.container is unknown"),
        (
            "Service",
            "StartLimitBurst=3",
            "StartLimitBurst= in motorcade-redis.container has no effect in [Service]",
        ),
        ("Service", "User=redis", "[Service] User= in motorcade-redis.container is refused by the generator"),
        ("Service", "Environment=API_TOKEN=x", "Environment API_TOKEN in motorcade-redis.container looks like"),
        ("Container", "Environment=A=1 'REDIS_PASSWORD=x'", "Environment REDIS_PASSWORD in motorcade-redis"),
        ("Container", "Environment=API_KEYS=x", "Environment API_KEYS in motorcade-redis.container looks like"),
        ("Container", "Environment=db_secret=x", "Environment db_secret in motorcade-redis.container looks like"),
        ("Container", "LogDriver=journald", "LogDriver=journald; write k8s-file"),
        ("Container", "LogDriver=none", "LogDriver=none; write k8s-file"),
        ("Container", "LogOpt=max-size=", "the log has no size limit"),
        ("Container", "LogOpt=path=/tmp/x", "the log goes with the container"),
        ("Container", "Pull=missing", "Pull=missing; write never"),
        ("Container", "Rootfs=/srv/x", "Rootfs=/srv/x cannot be pinned"),
        ("Container", 'HealthCmd=["redis-cli"]', "double quotes are broken"),
        ("Container", "HealthInterval=30s", "a health timer is a silent no-op"),
        ("Container", "Notify=healthy", "Notify=healthy never becomes ready"),
        ("Container", "ContainerName=redis", "ContainerName=redis; write motorcade-redis"),
        (
            "Container",
            "ServiceName=redis",
            "ServiceName= in motorcade-redis.container gives one service two names",
        ),
        ("Service", "MemoryMax=infinity", "no MemoryMax="),
        ("Service", "TasksMax=infinity", "no TasksMax="),
        ("Service", "CPUQuota=", "no CPUQuota="),
        ("Service", "Restart=no", "no Restart="),
        ("Service", "RestartSec=999ms", "RestartSec= below a second"),
        ("Service", "TimeoutStartSec=infinity", "no TimeoutStartSec="),
        ("Service", "TimeoutStopSec=infinity", "TimeoutStopSec= is not above StopTimeout="),
        ("Service", "TimeoutStopSec=20", "TimeoutStopSec= is not above StopTimeout="),
        ("Service", "TimeoutSec=infinity", "TimeoutSec=infinity overrides both"),
        ("Container", "StopTimeout=30", "TimeoutStopSec= is not above StopTimeout="),
        ("Container", "StopTimeout=soon", "TimeoutStopSec= is not above StopTimeout="),
        ("Unit", "StartLimitIntervalSec=0", "no StartLimitIntervalSec="),
        ("Unit", "StartLimitBurst=0", "no StartLimitBurst="),
        ("Install", "[Contaner]\nTmpfs=/x", "[Contaner] in motorcade-redis.container is not a section"),
        ("Unit", "this is no setting", "neither a section nor a setting"),
    ],
)
def test_each_fault_is_named_and_nothing_else_is(section: str, line: str, fault: str) -> None:
    faults = lint({PATH: with_line(section, line)})
    assert len(faults) == 1, faults
    assert fault in faults[0]


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("Image", "no Image="),
        ("Pull", "no Pull="),
        ("LogDriver", "no LogDriver="),
        ("Label", "motorcade-redis.container has no label; write Label=motorcade.config={{ config }}"),
        ("ContainerName", "ContainerName=; write motorcade-redis"),
        ("MemoryMax", "no MemoryMax="),
        ("TasksMax", "no TasksMax="),
        ("CPUQuota", "no CPUQuota="),
        ("Restart", "no Restart="),
        ("RestartSec", "RestartSec= below a second"),
        ("TimeoutStartSec", "no TimeoutStartSec="),
        ("TimeoutStopSec", "TimeoutStopSec= is not above StopTimeout="),
        ("StartLimitIntervalSec", "no StartLimitIntervalSec="),
        ("StartLimitBurst", "no StartLimitBurst="),
    ],
)
def test_a_bound_that_is_missing_is_named_and_nothing_else_is(key: str, fault: str) -> None:
    faults = lint({PATH: without(key)})
    assert len(faults) == 1, faults
    assert fault in faults[0]


def test_of_a_scalar_the_last_file_wins() -> None:
    label = "[Container]\nLabel=motorcade.config.LEADGEN_04=x\n"
    assert lint({PATH: without("MemoryMax"), DROP_IN: "[Service]\nMemoryMax=1G\n"}) == []
    assert lint({PATH: GOOD, DROP_IN: "[Service]\nMemoryMax=infinity\n"}) != []
    assert lint({PATH: GOOD, DROP_IN: f"{label}StopTimeout=25\n"}) == []
    assert lint({PATH: GOOD, DROP_IN: f"{label}StopTimeout=40\n"}) != []


def test_drop_ins_count_in_the_order_of_their_names_whatever_the_order_given() -> None:
    early, late = f"{PATH}.d/10-a.conf", f"{PATH}.d/90-b.conf"
    files = {late: "[Service]\nMemoryMax=1G\n", early: "[Service]\nMemoryMax=infinity\n", PATH: GOOD}
    assert lint(files) == []
    assert lint({late: files[early], early: files[late], PATH: GOOD}) != []


def test_a_drop_in_alone_is_not_asked_for_what_its_unit_has() -> None:
    assert lint({DROP_IN: "[Install]\nWantedBy=motorcade.target\n"}) == []
    assert lint({DROP_IN: f"[Container]\nImage={ID}\n"}) == []


def test_a_drop_in_alone_is_judged_for_what_it_says() -> None:
    assert len(lint({DROP_IN: "[Container]\nLabel=motorcade.config.P=x\nPublishPort=80:80\nMemory=1G\n"})) == 2


def test_a_drop_in_that_shapes_the_container_carries_its_own_label() -> None:
    (fault,) = lint({DROP_IN: "[Container]\nReadOnly=true\nLabel=motorcade.config=x\n"})
    assert "20-more.conf has no label; write Label=motorcade.config.PAGE=" in fault


def test_networks_and_volumes_are_judged_by_their_own_keys() -> None:
    network = "/etc/containers/systemd/motorcade-core.network"
    assert lint({network: "[Network]\nNetworkName=motorcade-core\nInternal=true\n"}) == []
    assert (
        "InterfaceName= in motorcade-core.network is unknown" in lint({network: "[Network]\nInterfaceName=x\n"})[0]
    )
    volume = "/etc/containers/systemd/motorcade-data.volume"
    assert lint({volume: "[Volume]\nVolumeName=motorcade-data\n"}) == []
    assert len(lint({volume: "[Volume]\nUID=1\n"})) == 1


def test_what_is_no_quadlet_file_has_no_place_here() -> None:
    (fault,) = lint({"/etc/systemd/system/motorcade.target": "[Unit]\n"})
    assert fault.endswith("place it with hostfiles.place")


def test_a_continued_line_is_one_setting_and_a_comment_is_none() -> None:
    assert lint({PATH: with_line("Container", "# PublishPort=80:80\n; Memory=1G\nTmpfs=/x:\\\nsize=1m")}) == []
    (fault,) = lint({PATH: with_line("Container", "PodmanArgs=--tz=UTC \\\n  --privileged")})
    assert "--privileged" in fault


def test_files_are_named_after_their_unit_and_service() -> None:
    assert [unit_of(path) for path in (PATH, DROP_IN, "/x/a.network", "/x/a.target", "/x/a.conf")] == [
        "motorcade-redis.container",
        "motorcade-redis.container",
        "a.network",
        "",
        "",
    ]
    assert [service_of(unit) for unit in ("a.container", "a.network", "a.volume")] == [
        "a.service",
        "a-network.service",
        "a-volume.service",
    ]


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ("90", 90),
        ("1min 30s", 90),
        ("1min30s", 90),
        ("500ms", 0.5),
        ("1.5h", 5400),
        ("infinity", None),
        ("", None),
        (None, None),
        ("-5", None),
        ("3 fortnights", None),
    ],
)
def test_a_time_span_is_read_as_systemd_reads_it(span: str | None, expected: float | None) -> None:
    assert seconds(span) == expected


def test_the_units_of_this_repository_have_no_fault() -> None:
    values = {"page": "PLAT_99", "config": ID, "image": f"sha256:{ID}", "core_subnet": "10.0.0.0/24"}
    values |= {"memory_max_mb": "512", "cpu_percent": "100", "cipher": ID}
    values |= {
        "service": "leadgen-api",
        "user": "10003",
        "database_cipher": ID,
        "database_role": "api",
        "redis_cipher": ID,
        "erasure_cipher": ID,
    }
    values["redis_user"], ciphers = "bell", {"redis-operator": ID, "redis-bell": ID}
    values |= {"edge_host": "edge.example.com", "states": "TX", "site_default_state": "TX", "workers": "2"}
    values["database_disk"] = "/srv/disk"
    values |= dict.fromkeys(("sockets", "database_sockets", "redis_sockets"), "/run/sockets")
    found = [path for path in hostfiles.REPOSITORY.glob("deploys/services/*/templates/*") if unit_of(path.name)]
    files = {
        path.name: hostfiles.render(f"{path.parents[1].name}/{path.name}", **values, ciphers=ciphers)
        for path in found
    }
    for drop_in in ("40-hardening.conf", "50-release.conf"):
        files[f"motorcade-leadgen-api.container.d/{drop_in}"] = hostfiles.render(f"leadgen/{drop_in}", **values)
    assert {"motorcade-postgres.container", "motorcade-leadgen-worker.container"} <= set(files)
    assert lint(files) == []


def accepted(folder: Path, kind: str, key: str) -> bool:
    """Whether this machine's generator knows a key; an unknown one is the only fault it names."""
    image = "Image=localhost/x:1\n" if kind == "Container" and key != "Image" else ""
    (folder / f"x.{kind.lower()}").write_text(f"[{kind}]\n{image}{key}=x\n")
    generator = next((path for path in GENERATORS if path and Path(path).exists()), None)
    if generator is None:
        pytest.skip("no podman-system-generator on this machine")
    environment = {**os.environ, "QUADLET_UNIT_DIRS": str(folder)}
    done = subprocess.run([generator, "--dryrun"], env=environment, capture_output=True, text=True, check=False)
    return f"unsupported key '{key}'" not in done.stderr


@pytest.mark.parametrize("kind", linter.KINDS.values())
def test_podman_itself_knows_every_key_of_the_list(tmp_path: Path, kind: str) -> None:
    assert [key for key in sorted(linter.KNOWN[kind]) if not accepted(tmp_path, kind, key)] == []


def test_podman_itself_refuses_a_key_that_no_version_has(tmp_path: Path) -> None:
    assert not accepted(tmp_path, "Container", "Nonsense")
