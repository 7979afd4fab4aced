"""The runbook of the alerts: one paragraph each, below a heading that is the alert's id."""

import re

PAGE = "docs/runbooks/alerts.md"


def paragraphs(page: str) -> dict[str, str]:
    """Heading -> the text below it."""
    _, *parts = re.split(r"^## ", page, flags=re.MULTILINE)
    return {title: text.strip() for title, _, text in (part.partition("\n") for part in parts)}
