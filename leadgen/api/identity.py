"""What a person is known by, read from what they wrote and from what an operator looks for, in the same way."""

import unicodedata
from collections.abc import Iterator
from typing import Final

from leadgen.api import email_address, phone_number
from leadgen.domain.erasure import Identity
from leadgen.domain.plain_text import visible

_READERS: Final = {"email": email_address.read_all, "phone": phone_number.read_all}
_IN_NUMBERS: Final = str.maketrans("", "", "().-/")


def read(kind: str, text: str) -> tuple[Identity, bool]:
    """Read what an operator looks for; also whether it is an address or a number, or only a text like one.

    Raises ValueError if there is nothing to look for, or more than one thing.
    """
    found = {*_readable(kind, text)}
    if len(found) > 1:
        raise ValueError("has more than one; look for one at a time")
    if found:
        return found.pop(), True
    if not (unread := _unreadable(kind, text)).value:
        raise ValueError("is empty")
    return unread, False


def identities(
    *, email: str | None, phone_e164: str | None, email_text: str | None, phone_text: str | None
) -> frozenset[Identity]:
    """All that an intake's or lead's columns say. The texts are there where they say more than what was read."""
    found = set()
    if email:
        found.add(Identity("email", email.casefold()))
    if phone_e164:
        found.add(Identity("phone", phone_e164))
    for kind, text in (("email", email_text), ("phone", phone_text)):
        if text:
            found |= {*_written(kind, text)}
    return frozenset(found)


def _written(kind: str, text: str) -> Iterator[Identity]:
    """What is in a text; if that is nothing of its kind, what is there of the other, and the text itself."""
    if found := [*_readable(kind, text)]:
        yield from found
        return
    yield from _readable("phone" if kind == "email" else "email", text)
    yield _unreadable(kind, text)


def _readable(kind: str, text: str) -> Iterator[Identity]:
    # The part before the @ has upper and lower case only by the standard: all who deliver mail ignore it.
    return (Identity(kind, found.casefold()) for found in _READERS[kind](text))


def _unreadable(kind: str, text: str) -> Identity:
    """A text that no reader understands, without what two people would write differently."""
    plain = "".join(visible(unicodedata.normalize("NFKC", text)).casefold().split())
    return Identity(kind, plain.translate(_IN_NUMBERS) if kind == "phone" else plain)
