"""Checks that send a synthetic lead, verify that it arrived, and remove it."""

import json
from shlex import quote
from typing import TYPE_CHECKING

from deploys.kit.operations import gate
from deploys.kit.operations.hostfiles import render
from deploys.services.leadgen import ADDRESS, Intake
from deploys.services.nginx import Edge
from leadgen.domain.synthetic import CLIENT_ID, DOCUMENT

if TYPE_CHECKING:
    from deploys.kit.plan.settings import Settings
    from deploys.kit.run.page import Page


def check(page: "Page", title: str, name: str, *, seconds: int, edge: bool = False) -> None:
    """deploys/services/leadgen/templates/check-<name>.sh, at the API's own address or at the edge's public one.

    Runs once per configuration, because it writes into the live database; `verify=again` repeats it.
    """
    states, site = page.settings.of(Intake).leadgen_states, page.settings.of(Edge)
    # The certificate here must name it, wherever DNS points today.
    words = f"--resolve {site.edge_host}:443:127.0.0.1 --cacert {quote(site.edge_certificate)}" if edge else ""
    script = render(
        f"leadgen/check-{name}.sh",
        page=page.id,
        client=CLIENT_ID,
        lead=quote(_lead(states.partition(",")[0].strip())),
        base=f"https://{site.edge_host}/api" if edge else f"http://{ADDRESS}",
        address=ADDRESS,
        curl=words,
    )
    gate.once(page, title, script, seconds=seconds)


def browser_lead(settings: "Settings") -> str:
    """The same as a form of our own site would send it."""
    contact, request = DOCUMENT["contact"], DOCUMENT["request"]
    state = settings.of(Intake).leadgen_states.partition(",")[0].strip()
    return json.dumps({**contact, "service_type": request["service_type"], "state": state})


def _lead(state: str) -> str:
    """The intake's own synthetic lead, for a state that this environment serves."""
    request = DOCUMENT["request"]
    return json.dumps({**DOCUMENT, "request": {**request, "location": {**request["location"], "state": state}}})
