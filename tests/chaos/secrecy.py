"""Looks for secrets and personal data in everything a system writes and shows."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.chaos.leads import MARKER


def leaks(logs: Path, shown: Iterable[str], secrets: Mapping[str, str]) -> Iterator[str]:
    """The places that contain text of a lead or a secret."""
    places = {str(file.relative_to(logs)): file.read_text("utf-8", "replace") for file in logs.rglob("*.log")}
    places["answers"] = "\n".join(shown)
    wanted = {**secrets, "a person's words": MARKER}
    for place, text in places.items():
        folded = text.casefold()
        yield from (f"{place} shows {what}" for what, word in wanted.items() if word.casefold() in folded)
