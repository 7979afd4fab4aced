"""The one error of the lab."""


class LabError(Exception):
    """Where it stands, what is wrong, and what to do, as one line; a console's last lines may follow."""

    def __init__(self, where: str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what}; {remedy}")
