"""Connections: the error for an unusable URL repeats nothing from it."""

import traceback

import pytest
from psycopg.conninfo import conninfo_to_dict

from leadgen.errors import ConfigError
from leadgen.store.connection import Database, Limits, _conninfo, connect


@pytest.mark.parametrize(
    "url", ["postgresql://app:100%pure-secret@127.0.0.1:1/d", "postgresql://127.0.0.1/d?secret=1"]
)
def test_a_url_that_libpq_rejects_is_a_configuration_error_that_repeats_nothing(url: str) -> None:
    for use in (connect, Database):
        with pytest.raises(ConfigError, match="percent-encode the password") as caught:
            use(url, "tests")
        assert "secret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("postgresql://app@a:1/d", "any"),
        ("postgresql://app@a:1,b:2/d", "read-write"),
        ("postgresql://app@/d?host=a,b", "read-write"),
        ("postgresql://app@a:1,b:2/d?target_session_attrs=standby", "standby"),
    ],
)
def test_of_several_hosts_the_one_that_takes_writes_is_used(url: str, wanted: str) -> None:
    assert conninfo_to_dict(_conninfo(url, "tests", Limits()))["target_session_attrs"] == wanted
