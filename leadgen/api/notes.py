"""What reading a submission found: faults, which refuse it; flags, for people; members that no schema names."""

from typing import Final

_MOST_UNKNOWN: Final = 50  # faults of one kind: a body of 64 KiB has room for thousands, of no use to a reader
_MOST_IGNORED: Final = 100
_LONGEST_NAME: Final = 200  # of an ignored member, as it is listed

Fault = dict[str, str]


class Notes:
    """Of one submission. `strict`: what a program got wrong refuses it; what a person typed never does."""

    __slots__ = ("_ignored", "faults", "flags", "strict")

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.faults: list[Fault] = []
        self.flags: set[str] = set()
        self._ignored: list[str] = []

    @property
    def ignored(self) -> list[str]:
        """Their dotted names in order, the same for the same body."""
        names = sorted(self._ignored)
        return names if len(names) <= _MOST_IGNORED else [*names[:_MOST_IGNORED], "…"]

    def fault(self, pointer: str, code: str, detail: str) -> None:
        """Refuse the submission for what is at this place; `detail` never repeats the value."""
        self.faults.append({"pointer": pointer, "field": dotted(pointer), "code": code, "detail": detail})

    def slip(self, flag: str, pointer: str, code: str, detail: str) -> None:
        """A mistake of the sending program, which costs the value and only in strict mode the lead."""
        if self.strict:
            self.fault(pointer, code, detail)
        self.flags.add(flag)

    def take(self, apart: "Notes") -> None:
        """Add what was noted apart, except its faults."""
        self.flags |= apart.flags
        self._ignored += apart._ignored  # noqa: SLF001 - of the same class

    def unknown(self, pointer: str) -> None:
        """A member that no schema names: stored with the rest of the body, and used for nothing."""
        if self.strict and len(self._ignored) < _MOST_UNKNOWN:
            self.fault(pointer, "unknown", "This field is unknown.")
        self._ignored.append(dotted(pointer)[:_LONGEST_NAME])


def pointer_to(*names: str) -> str:
    """The RFC 6901 JSON pointer to a member."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)


def dotted(pointer: str) -> str:
    """The same place as contract v1 writes it: /contact/full_name is contact.full_name."""
    return pointer[1:].replace("/", ".").replace("~1", "/").replace("~0", "~")
