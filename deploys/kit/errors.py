"""The one error a page stops with before it has touched anything."""

from pyinfra.api.exceptions import PyinfraError


class Refused(PyinfraError):
    """Where it stands, what is wrong, and what to do: shown to the operator as one line."""

    def __init__(self, where: str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what}; {remedy}")
