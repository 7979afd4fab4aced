"""`python -m tests.bench.page`: write docs/reference/speed.md from the last measurements."""

import json
from collections.abc import Iterator
from typing import Any

from tests.bench.figures import Figure
from tests.bench.report import FILE, Report

PAGE = FILE.with_suffix(".md")
MET = {True: "yes", False: "**no**", None: ""}

HEAD = """\
# Speed

`make bench` writes this page from its measurements; [speed.json](speed.json) has every sample. The machine has
other users, so compare ratios, which are taken pair by pair within a round, and do not rely on any single rate.
Each figure is a median, with its range over the rounds in brackets.
"""

HOW = """\
## How it is measured

- What is compared runs side by side and is measured in turns (A B, B A), so that a slow minute affects both.
- Everything is on one machine: PostgreSQL with `fsync`, `full_page_writes` and `synchronous_commit` on, Redis,
  the API with two processes, the load. Neither worker nor sweeper runs while rates are measured; both run at 200
  a second.
- Rates: wrk in a closed loop, each post with its own key. A single answer other than 202 ends the measurement.
- Latencies: an open loop, posts at random moments with a given mean pace. Each is timed from the moment at which
  it was due, so that a server that stalls cannot hide it. p99 is the nearest rank.
- Over its quota: another client of the same API sends three times what it may, so that two thirds of its posts are
  answered 429 with Retry-After; the client that is measured stays within its own quota.
- The empty route gets the same posts, in the same gunicorn with the same settings, and answers 202 without doing
  anything.
- The FastAPI peer does the same work, and a test checks that both give the same answers and rows: keys,
  validation with our short cuts, fingerprint, idempotency, a row in each of the same two tables, and a commit for
  each request. It is uvicorn with uvloop and httptools, two processes, and asyncpg with a pool of 16 and nothing
  else on the wire; it writes no log lines and no metrics, and rings no doorbell.
- The bare commit and the floor: the API's own statement, one intake at a time, sent by pgbench.
- A queue's rate is measured from the first commit that creates leads to the last. The peers' jobs do our insert
  for one lead each: procrastinate with 16 in parallel and finished jobs deleted, pgqueuer with batches of 500 and
  a pool of 16 (other numbers were no faster), RQ in its process and with forks.
- A million rows: the same statements fill the tables, then VACUUM, ANALYZE and a checkpoint. Drains take turns of
  10,000 leads; before accepting, one sample is discarded, because the first change of a page is logged in full.
- Memory after two seconds of full load, when everything is drained; a page that processes share counts once
  (PSS).
- CPU is the processor time of the server's processes, and of PostgreSQL's, divided by the answers.

`make bench-quick` measures what needs no peer within a minute; `make bench` measures everything and writes this
page. To measure another checkout beside this one: `python -m tests.bench --rows accept --against PATH`.
"""


def page(report: Report) -> str:
    figures = [(Figure.read(document), document["measured"]) for document in report["figures"]]
    return (
        "\n".join([HEAD, *table(figures), "", *plots(figures), HOW, *machine(report), "", *details(figures)])
        + "\n"
    )


def table(figures: list[tuple[Figure, dict[str, str]]]) -> Iterator[str]:
    yield "| figure | measured | goal | met |"
    yield "|---|---|---|---|"
    for figure, _ in figures:
        yield f"| {figure.title} | {figure.value} | {figure.goal or ''} | {MET[figure.met]} |"


def plots(figures: list[tuple[Figure, dict[str, str]]]) -> Iterator[str]:
    names = {figure.name for figure, _ in figures if figure.series}
    if "load" in names:
        yield "![Latency at rising load, FastAPI beside us](speed-load.svg)\n"
    if "redis-hung" in names:
        yield "![Latency with Redis up, down and hung](speed-redis.svg)\n"


def machine(report: Report) -> Iterator[str]:
    yield "## The machine\n"
    for name, words in report["machine"].items():
        yield f"- {name[0].upper()}{name[1:]}: {words}"


def details(figures: list[tuple[Figure, dict[str, str]]]) -> Iterator[str]:
    yield "## What each figure is made of"
    for figure, measured in figures:
        yield f"\n{figure.title} ({measured['on']}, {measured['commit']}, {len(figure.value.samples)} rounds):\n"
        for name, part in figure.parts.items():
            yield f"- {name}: {part}"


def main() -> None:
    report: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    PAGE.write_text(page(report), encoding="utf-8")


if __name__ == "__main__":
    main()
