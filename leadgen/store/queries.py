"""Named SQL: a query is in sql/<table>.sql under `-- verb_noun --`, and Python uses that name."""

import re
from importlib.resources import files

_HEADING = re.compile(r"^-- (\w+) --$", re.MULTILINE)


def load(table: str) -> dict[str, str]:
    """The queries of one file, by name."""
    text = (files("leadgen.store") / "sql" / f"{table}.sql").read_text(encoding="utf-8")
    _, *parts = _HEADING.split(text)
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
