"""`python -m tests.bench.plot`, in .bench/: draw what the last measurements left, as SVG."""

import json
from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

REFERENCE = Path(__file__).parents[2] / "docs/reference"
Lines = dict[str, list[list[float]]]

COLOURS = ("#0b6e4f", "#c8553d", "#2d5d9f")

mpl.use("svg")
mpl.rcParams.update(
    {
        "svg.fonttype": "none",  # words stay words
        "svg.hashsalt": "speed",  # the same figures give the same file
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#dddddd",
        "font.size": 10,
    }
)


def main() -> None:
    report = json.loads((REFERENCE / "speed.json").read_text(encoding="utf-8"))
    series = {figure["name"]: figure["series"] for figure in report["figures"] if figure["series"]}
    if "load" in series:
        draw("speed-load.svg", load, series["load"])
    if "redis-hung" in series:
        draw("speed-redis.svg", redis, series["redis-hung"])


def draw(name: str, fill: Callable[[Axes, Lines], None], lines: Lines) -> None:
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    fill(axes, lines)
    axes.set_yscale("log")
    axes.set_ylabel("milliseconds from due to answered")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.legend(frameon=False)
    figure.savefig(REFERENCE / name, metadata={"Date": None, "Creator": None})


def load(axes: Axes, lines: Lines) -> None:
    """p99 drawn through, p50 dotted; one colour a server."""
    servers = list(dict.fromkeys(name.partition(",")[0] for name in lines))
    for name, points in lines.items():
        server, _, share = name.partition(", ")
        style = "-" if share == "p99" else ":"
        axes.plot(*zip(*points, strict=True), style, marker="o", markersize=3, label=name)
        axes.lines[-1].set_color(COLOURS[servers.index(server)])
    axes.set_title("A durable 202 at rising load, open loop", loc="left")
    axes.set_xlabel("posts a second")


def redis(axes: Axes, lines: Lines) -> None:
    """Shares are placed by the rarity of the values above them: 50 %, 90 %, 99 % at equal distances."""
    for colour, (name, points) in zip(COLOURS, lines.items(), strict=True):
        rarities = [1 / (1 - share) for share, _ in points]
        axes.plot(rarities, [wait for _, wait in points], color=colour, marker="o", markersize=3, label=name)
    shares = [0.5, 0.9, 0.99, 0.999]
    axes.set_xscale("log")
    axes.set_xticks([1 / (1 - share) for share in shares], [f"{share * 100:g} %" for share in shares])
    axes.minorticks_off()
    axes.set_title("A durable 202 at 200 posts a second, and what Redis costs it", loc="left")
    axes.set_xlabel("share of posts answered within")


if __name__ == "__main__":
    main()
