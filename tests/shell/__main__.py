"""All shell in the repository, checked by ShellCheck: `python -m tests.shell` ends with 1 for a fault."""

import logging
import sys

import click

from tests.shell import checker, literals, pages, tree
from tests.shell.script import Script


def main() -> int:
    """Prints each fault on a line of its own, and then how much was checked."""
    logging.disable()  # pages speak to an operator, and there is none
    notebook = pages.emitted()
    scripts = [*tree.scripts(pages.PROJECT), *notebook.scripts.values()]
    faults = [*checker.faults(scripts), *unchecked(scripts, notebook.templates)]
    for fault in faults:
        click.echo(fault)
    files = sum(script.is_file for script in scripts)
    click.echo(f"shellcheck: {len(faults)} faults in {files} files and {len(scripts) - files} commands")
    return 1 if faults else 0


def unchecked(scripts: list[Script], rendered: set[str]) -> list[str]:
    """What would pass unseen: a template that no page rendered, shell in Python that no page emitted."""
    corpus = "\0".join(script.text for script in scripts)
    return [
        *(
            f"{path}: no page renders it; let one, or remove it"
            for path in sorted(tree.templates(pages.PROJECT) - rendered)
        ),
        *(
            f"{piece}: no page emits it; give tests/shell/pages.py the answer that leads there"
            for piece in literals.unseen(pages.PROJECT, corpus)
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
