"""States of hosts, as status finds them: one that is well, one that is not, and one that is away."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from deploys.inspect.host_status import Line, Status, unreachable
from deploys.services.alerts.samples import Day, Sample

NOW = datetime(2026, 11, 27, 18, 40, tzinfo=UTC)
PAGE = Line("PLAT_01", "Podman", "green", "prod-7", "2026-11-25T09:12:33Z", "run-20261125-091201-0a0b", [])
WELL = Status("web-01", "", "", "", "", {"backup": [], "leadgen": []}, ["last drill: 41 s"], [], [PAGE])
DAY = Day(NOW, [Sample(NOW - timedelta(minutes=ago), {"ready": 200, "disk": 41}) for ago in range(20)])
ILL = replace(
    WELL,
    host="web-02",
    services={"backup": [], "leadgen": ["web-02: the API is another release; deploys/leadgen_02.py"]},
    units=["motorcade-redis.service: failed (result x; y); run sudo systemctl status motorcade-redis.service"],
    pages=[replace(PAGE, state="red", drift=["/etc/x has changed since it last passed"])],
)
AWAY = unreachable("web-03")
