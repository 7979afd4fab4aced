"""The error that stops a page before it has changed anything."""

from pyinfra.api.exceptions import PyinfraError


class Refused(PyinfraError):
    """Where, what is wrong, and what to do: shown to the operator as one line."""

    def __init__(self, where: str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what}; {remedy}")
