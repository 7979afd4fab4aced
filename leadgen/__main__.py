"""`python -m leadgen`."""

from leadgen.cli import leadgen

leadgen()
