"""Errors for an operator: where something is wrong, what is wrong, and what to do about it."""


class LeadgenError(Exception):
    """The form of every message to an operator: `<where>: <what is wrong>; <what to do>`."""

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
            "fix each line above (docs/reference/configuration.md) and run `leadgen check`",
        )
        self.faults = faults


class KeyFileError(LeadgenError):
    """The API keys file cannot be used."""


class DatabaseUnavailable(LeadgenError):
    """PostgreSQL could not be reached, or could not commit in time."""

    def __init__(self, what: str) -> None:
        super().__init__(
            "database",
            what,
            "check that PostgreSQL is running and that the URL is right; `leadgen check` tests it",
        )


class DiskFull(DatabaseUnavailable):
    """PostgreSQL answers, but the disk of its data is full."""


class TableLocked(DatabaseUnavailable):
    """PostgreSQL answers, but another session has held a lock for too long."""


class CommitsFail(DatabaseUnavailable):
    """No commit has worked for a while, so a request is answered without waiting for one."""


class UnsafeDurability(LeadgenError):
    """PostgreSQL's settings allow it to lose a commit, so a 202 could be false."""


class TooFewCopies(UnsafeDurability):
    """PostgreSQL waits for no standby although two hosts must have each lead."""


class UnfitSchema(LeadgenError):
    """The schema lacks something that a statement of this release needs: a migration has not run."""


class MigrationError(LeadgenError):
    """The database's migrations do not match those of this release."""


class IdempotencyKeyHeld(LeadgenError):
    """Another writer has held this idempotency key for longer than a client should wait."""

    def __init__(self) -> None:
        super().__init__("intake", "the idempotency key is held by another writer", "try again in a second")
