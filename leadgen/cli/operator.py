"""Who acts, and why: what the audit log keeps of an operator's command."""

import os
import pwd

import click


def not_blank(_: click.Context, parameter: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("say why", param=parameter)
    return value.strip()


def login() -> str:
    """The login at the terminal, also under sudo; without a terminal, the owner of this process."""
    try:
        return os.getlogin()
    except OSError:
        return _account()


def _account() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user need not have a name
        return f"uid {os.getuid()}"


by = click.option(
    "--by",
    default=login,
    metavar="NAME",
    help="Your name; the default is your login, which a container does not know.",
)
