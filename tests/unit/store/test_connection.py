"""Connections: the error for an unusable URL repeats nothing from it."""

import traceback

import pytest

from leadgen.errors import ConfigError
from leadgen.store.connection import Database, connect


@pytest.mark.parametrize(
    "url", ["postgresql://app:100%pure-secret@127.0.0.1:1/d", "postgresql://127.0.0.1/d?secret=1"]
)
def test_a_url_that_libpq_rejects_is_a_configuration_error_that_repeats_nothing(url: str) -> None:
    for use in (connect, Database):
        with pytest.raises(ConfigError, match="percent-encode the password") as caught:
            use(url, "tests")
        assert "secret" not in "".join(traceback.format_exception(caught.value))
