"""The service area: the states that the company serves."""


class OutsideServiceArea(ValueError):
    """The state is not served; `served` lists those that are."""

    def __init__(self, served: list[str]) -> None:
        super().__init__(f"We only serve {', '.join(served)}.")
        self.served = served


def check(state: str, served: frozenset[str]) -> None:
    """Raise OutsideServiceArea unless the state is served."""
    if state not in served:
        raise OutsideServiceArea(sorted(served))
