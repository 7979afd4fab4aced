"""The service area: the states in which the company works."""


class OutsideServiceArea(ValueError):
    """The place lies in no served state; `served` lists those that are."""

    def __init__(self, served: list[str]) -> None:
        super().__init__(f"The company works in {', '.join(served)} only.")
        self.served = served


def check(state: str, served: frozenset[str]) -> None:
    """Raise OutsideServiceArea unless the state is served."""
    if state not in served:
        raise OutsideServiceArea(sorted(served))
