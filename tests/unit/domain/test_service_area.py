"""The service area: a state is served or it is not, and who is refused learns which are."""

import pytest

from leadgen.domain.service_area import OutsideServiceArea, check

SERVED = frozenset({"TX", "OK"})


def test_a_served_state_passes() -> None:
    check("TX", SERVED)


@pytest.mark.parametrize("state", ["CA", "tx", ""])
def test_any_other_is_refused_with_the_list_of_those_served(state: str) -> None:
    with pytest.raises(OutsideServiceArea, match=r"^We only serve OK, TX\.$") as caught:
        check(state, SERVED)
    assert caught.value.served == ["OK", "TX"]
