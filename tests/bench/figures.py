"""What a measurement comes to: samples, their median and spread, and the goal they are held against."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Self


@dataclass(frozen=True)
class Spread:
    """Samples of one thing, one a round."""

    samples: Sequence[float]
    unit: str = ""

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def least(self) -> float:
        return min(self.samples)

    @property
    def most(self) -> float:
        return max(self.samples)

    def __str__(self) -> str:
        """`0.41 (0.38 to 0.44)`: the median and the range."""
        words = f"{_plain(self.median)} ({_plain(self.least)} to {_plain(self.most)})"
        return f"{words} {self.unit}".rstrip()


@dataclass(frozen=True)
class Goal:
    """The target for the median; `at_most` for values that should stay low."""

    bound: float
    at_most: bool = False

    def met(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}"


@dataclass(frozen=True)
class Figure:
    """One line of the table: `name` is for machines, `title` for people, `parts` is what the value was made of.

    `series` are lines to draw: name -> points (x, y).
    """

    name: str
    title: str
    value: Spread
    goal: Goal | None = None
    parts: Mapping[str, Spread] = field(default_factory=dict)
    series: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        return None if self.goal is None else self.goal.met(self.value.median)

    def document(self) -> dict[str, Any]:
        """The figure as JSON has it, with every sample."""
        return {
            "name": self.name,
            "title": self.title,
            "value": asdict(self.value),
            "goal": self.goal and asdict(self.goal),
            "parts": {name: asdict(part) for name, part in self.parts.items()},
            "series": self.series,
        }

    @classmethod
    def read(cls, document: dict[str, Any]) -> Self:
        """The figure that `document` was made of."""
        goal, parts = document["goal"], document["parts"]
        return cls(
            document["name"],
            document["title"],
            Spread(**document["value"]),
            goal and Goal(**goal),
            {name: Spread(**part) for name, part in parts.items()},
            {name: [(x, y) for x, y in points] for name, points in document["series"].items()},
        )


def _plain(number: float) -> str:
    """Three digits that matter, thousands with commas."""
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}"
