"""How a package hangs together: which of its modules and folders import which, in how many layers and circles.

`.venv/bin/python -m tests.conventions.structure deploys` prints it: what stands in the folder itself, its modules
one by one, and its rooms. A second argument names another checkout to compare with.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path

import click


def imports(source: str) -> Iterator[str]:
    """The dotted name of every import; of `from a import b` both a and a.b, as b may be a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def modules(checkout: Path, package: str) -> dict[str, set[str]]:
    """Each module of a package -> the others of it that it imports."""
    files = {_name(file.relative_to(checkout)): file for file in sorted((checkout / package).rglob("*.py"))}
    found = {name: set(imports(file.read_text(encoding="utf-8"))) & files.keys() for name, file in files.items()}
    # `from a import b` names the package a as well, which is a module only where b is not.
    return {
        name: {one for one in others if one != name and not any(each.startswith(f"{one}.") for each in others)}
        for name, others in found.items()
    }


def rooms(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Each folder -> the other folders that its modules import; a module at the top is a room of its own."""
    folders = {name.rpartition(".")[0] for name in graph}

    def room(name: str) -> str:
        return name if name in folders or name.count(".") == 1 else name.rpartition(".")[0]

    joined: dict[str, set[str]] = {}
    for name, others in graph.items():
        joined.setdefault(room(name), set()).update(set(map(room, others)) - {room(name)})
    return joined


def inside(graph: Mapping[str, set[str]], package: str) -> dict[str, set[str]]:
    """What one sees in the package's own folder: each file or folder in it -> the others that it imports."""
    start = package.replace("/", ".")

    def part(name: str) -> str:
        return ".".join(name.split(".")[: start.count(".") + 2])

    joined: dict[str, set[str]] = {}
    for name, others in graph.items():
        joined.setdefault(part(name), set()).update(set(map(part, others)) - {part(name)})
    return joined


def circles(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Groups in which each reaches each."""
    reach = {name: _reach(graph, name) for name in graph}
    found: list[set[str]] = []
    for one, other in combinations(graph, 2):
        if other in reach[one] and one in reach[other]:
            for circle in found:
                if one in circle or other in circle:
                    circle |= {one, other}
                    break
            else:
                found.append({one, other})
    return found


def layers(graph: Mapping[str, set[str]]) -> int:
    """How many stand on one another at most; a circle counts as one."""
    depth: dict[frozenset[str], int] = {}
    knots = circles(graph)

    def knot(name: str) -> frozenset[str]:
        return next((frozenset(circle) for circle in knots if name in circle), frozenset({name}))

    def of(members: frozenset[str]) -> int:
        if members not in depth:
            below = {knot(other) for name in members for other in graph[name]} - {members}
            depth[members] = 1 + max(map(of, below), default=0)
        return depth[members]

    return max((of(knot(name)) for name in graph), default=0)


def _name(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _reach(graph: Mapping[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    todo = [start]
    while todo:
        new = graph[todo.pop()] - found
        found |= new
        todo += new
    return found


def main(package: str, checkout: str = ".") -> None:
    files = modules(Path(checkout), package)
    for title, graph in (("inside", inside(files, package)), ("modules", files), ("rooms", rooms(files))):
        edges = sum(map(len, graph.values()))
        tied = circles(graph)
        click.echo(f"{title:8}{len(graph):4}, {edges:4} edges, {layers(graph):3} layers, {len(tied)} circles")
        for circle in tied:
            click.echo(f"{'':8}{', '.join(sorted(circle))}")


if __name__ == "__main__":
    main(*sys.argv[1:])
