"""Write the reference pages that follow from the code, `make docs`: settings from Config, commands from click."""

import inspect
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, Final

import click

from leadgen.cli import leadgen
from leadgen.config import PREFIX, Config

SETTINGS: Final = """\
# Settings

Written by `make docs` from `leadgen/config.py`; a change belongs there.

Every setting is an environment variable, read once when a process starts. A bad or unknown `LEADGEN_` variable
stops the process with one message that lists every fault; `leadgen check` tries the whole configuration and
serves nothing. A setting that holds a password may stand in a file instead, named by its `_FILE` variant: one of
the two, not both.
"""

COMMANDS: Final = """\
# Commands

Written by `make docs` from `leadgen/cli/`; a change belongs there.

`leadgen` comes with the package; `python -m leadgen` is the same. Each command reads its
[settings](configuration.md) from the environment. A command ends with 0 when it did what it was asked, with 1 and
a message of the form `<where>: <what is wrong>; <what to do>` when it could not, and with 2 when it was called
wrongly. On a terminal a list is a table; elsewhere it is lines with tabs.
"""


def settings() -> str:
    return "\n".join([SETTINGS, *(_setting(setting) for setting in fields(Config))])


def commands() -> str:
    return "\n".join([COMMANDS, *(_command(context) for context in walk(leadgen))])


PAGES: Final = {"configuration.md": settings, "cli.md": commands}


def walk(command: click.Command, parent: click.Context | None = None) -> Iterator[click.Context]:
    """Every command below a group, in the order of the alphabet, each by the context of its full name."""
    context = click.Context(command, parent, info_name=command.name)
    if not isinstance(command, click.Group):
        yield context
        return
    for name in sorted(command.commands):
        yield from walk(command.commands[name], context)


def options(context: click.Context) -> Iterator[tuple[str, str]]:
    """How each option and argument of a command is written, and its help."""
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record and "--help" not in parameter.opts:
            yield record


def _setting(setting: "Field[Any]") -> str:
    variable = PREFIX + setting.name.upper()
    lines = [f"## {variable}", "", setting.metadata["meaning"], "", f"- Default: {_default(setting.default)}"]
    if setting.metadata["secret"]:
        lines.append(f"- Secret: may stand in the file that `{variable}_FILE` names.")
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    if value is MISSING:
        return "none; a command that needs it refuses to start without it."
    if value is None:
        return "not set."
    return f"`{','.join(sorted(value)) if isinstance(value, frozenset) else value}`"


def _command(context: click.Context) -> str:
    usage = " ".join([context.command_path, *context.command.collect_usage_pieces(context)])
    lines = [f"## {context.command_path}", "", f"    {usage}", "", inspect.cleandoc(context.command.help or "")]
    if listed := [f"- `{written}`: {meaning}" for written, meaning in options(context)]:
        lines += ["", *listed]
    return "\n".join(lines) + "\n"


def main() -> None:
    for name, write in PAGES.items():
        (Path(__file__).parent / name).write_text(write(), encoding="utf-8")


if __name__ == "__main__":
    main()
