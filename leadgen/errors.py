"""Errors an operator reads: where it went wrong, what is wrong, and what to do about it."""


class LeadgenError(Exception):
    """The form every message to an operator has: `<where>: <what is wrong>; <what to do>`."""

    def __init__(self, where: str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what}; {remedy}")
        self.where = where
        self.what = what
        self.remedy = remedy


class ConfigError(LeadgenError):
    """One or more settings are missing or bad; `faults` holds a line for each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__(
            "configuration",
            "\n  " + "\n  ".join(faults) + "\n",
            "mend each line above (docs/reference/configuration.md) and run `leadgen check`",
        )
        self.faults = faults


class KeyFileError(LeadgenError):
    """The API keys file cannot be used."""


class DatabaseUnavailable(LeadgenError):
    """PostgreSQL could not be reached, or could not commit in time."""

    def __init__(self, what: str) -> None:
        super().__init__(
            "database", what, "see that PostgreSQL runs and that the URL names it; `leadgen check` tries it"
        )


class UnsafeDurability(LeadgenError):
    """PostgreSQL is set so that a commit may be lost: a 202 would be a lie."""


class UnfitSchema(LeadgenError):
    """The schema lacks what a statement of this release asks for: a migration has not run."""


class MigrationError(LeadgenError):
    """The database's migrations and this release's do not fit together."""


class IdempotencyKeyHeld(LeadgenError):
    """Another writer has held this idempotency key for longer than a client should wait."""

    def __init__(self) -> None:
        super().__init__("intake", "the idempotency key is held by another writer", "try again in a second")
