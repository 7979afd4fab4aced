"""What keeps a measurement from being one."""

from leadgen.errors import LeadgenError


class CannotMeasure(LeadgenError):
    """A part is missing, did not come up or answered what it should not."""


class Missing(CannotMeasure):
    """A program is not installed that a row needs; others can be measured without it."""
