"""Errors that keep the dev profile from running."""

from leadgen.errors import LeadgenError


class CannotStart(LeadgenError):
    """A part of the dev profile did not start."""


class AlreadyRunning(LeadgenError):
    """Another dev profile is running on the same data."""
