"""The whole host, in the order of the runbook: every page that is ready and belongs to the host's groups."""

from pyinfra import local
from pyinfra.context import host

from deploys.kit.plan import runbook
from deploys.kit.run import page

with page.included():
    for entry in runbook.ready(host.groups):
        local.include(entry.file)
