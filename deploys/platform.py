"""The whole host, in the order of the runbook: every page that is ready."""

from pyinfra import local

from deploys.kit import page, runbook

with page.included():
    for entry in runbook.ORDER:
        local.include(entry.file)
