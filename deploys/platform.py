"""The whole host: every ready page of the host's groups, in the order of the runbook."""

from pyinfra import local
from pyinfra.context import host

from deploys.kit.plan import runbook
from deploys.kit.run import page

with page.included():
    for entry in runbook.ready(host.groups):
        local.include(entry.file)
