"""`python -m tests.bench.page`: write docs/reference/speed.md from what the last measurements left."""

import json
from collections.abc import Iterator
from typing import Any

from tests.bench.figures import Figure
from tests.bench.report import FILE, Report

PAGE = FILE.with_suffix(".md")
MET = {True: "yes", False: "**no**", None: ""}

HEAD = """\
# Speed

Written by `make bench` from what it measured; [speed.json](speed.json) has every sample. The machine has other
users: read the ratios, which are taken pair by pair within a round, and never one rate alone. Each figure is a
median, with its range over the rounds in brackets.
"""

HOW = """\
## How it is measured

- Compared programs run side by side and are measured in turns (A B, B A), so that a slow minute affects both.
- Everything is on one machine: PostgreSQL with `fsync`, `full_page_writes` and `synchronous_commit` on, Redis, the
  API with two processes, the load. Neither worker nor sweeper runs while rates are taken; both do at 200 a second.
- Rates: wrk in a closed loop, each post with its own key. One answer that is not a 202 ends the measurement.
- Latencies: an open loop, posts at random moments with a given mean pace, each timed from the moment at which it
  was due, so that a server that stalls cannot hide it. p99 is the nearest rank.
- The empty route gets the same posts, in the same gunicorn with the same settings, and answers 202 with nothing.
- FastAPI's side does the same work, and a test holds both to the same answers and rows: keys, validation with our
  short cuts, fingerprint, idempotency, a row in each of the same two tables, and a commit for each request. It is
  uvicorn with uvloop and httptools, two processes, and asyncpg with a pool of 16 and nothing else on the wire; it
  writes no log line and no metric, and rings no bell.
- The bare commit and the floor: the API's own statement, one intake at a time, sent by pgbench.
- A queue's rate is taken from the first commit that brings leads to the one that brings the last. The peers' jobs
  do our insert for one lead, each on its own: procrastinate with 16 side by side and finished jobs deleted,
  pgqueuer with batches of 500 and a pool of 16 (other numbers brought no more), RQ in its process and by forks.
- A million rows: the same statements fill the tables, then VACUUM, ANALYZE and a checkpoint. Drains take turns of
  10,000 leads; before accepting, a sample is thrown away, as the first change of a page is logged whole.
- Memory after two seconds of full load, when all is drained; a page that processes share counts once (PSS).
- CPU is the processor time of the server's processes, and of PostgreSQL's, divided by the answers.

`make bench-quick` takes what needs no peer within a minute; `make bench` takes all of it and writes this page.
Another checkout is measured beside this one by `python -m tests.bench --rows accept --against PATH`.
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
    yield "## What the figures are made of"
    for figure, measured in figures:
        yield f"\n{figure.title} ({measured['on']}, {measured['commit']}, {len(figure.value.samples)} rounds):\n"
        for name, part in figure.parts.items():
            yield f"- {name}: {part}"


def main() -> None:
    report: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    PAGE.write_text(page(report), encoding="utf-8")


if __name__ == "__main__":
    main()
