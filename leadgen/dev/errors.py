"""What can keep the dev profile from running."""

from leadgen.errors import LeadgenError


class CannotStart(LeadgenError):
    """A part of the dev profile did not come up."""


class AlreadyRunning(LeadgenError):
    """Another dev profile runs on the same data."""
