"""The insert of one lead, as a queue that runs a job for each needs it: taken from our own statement."""

from leadgen.store.queries import load


def insert(intake_id: str) -> str:
    """`intake_id` is the driver's placeholder. One statement, and so one commit."""
    _, found, inserts = load("intake_queue")["drain_batch"].partition("job AS MATERIALIZED (")
    if not found:
        raise LookupError("drain_batch has no part named job any more; bring this file up to date")
    one = f"WITH {found}{inserts}".replace("ANY (ARRAY(SELECT intake_id FROM drained))", f"{intake_id}::uuid")
    return one.replace("SELECT count(*) FROM drained", "SELECT 1")
