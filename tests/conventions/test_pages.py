"""The pages people read: their links lead somewhere, and the commands and addresses they name exist."""

import ast
import posixpath
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import click
import pytest

from deploys.history import history
from deploys.kit.plan import services
from deploys.kit.run import record
from deploys.kit.secrets import __main__ as secrets
from leadgen.cli import leadgen

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^ *(```|~~~).*?^ *\1", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`([^`\n]+)`")
TARGET = re.compile(r"^([a-z][\w-]*):", re.MULTILINE)
MODULES = {
    "deploys.history.history": history.history,
    "deploys.kit.run.record": record.record,
    "deploys.kit.secrets": secrets.command,
}
# Written out, as importing pyinfra's own command would patch the threads of this process.
PYINFRA_OPTIONS = {"-y", "--dry", "--limit", "--data"}

# What is there for the made pages below.
FILES = {
    "deploys/kit/run/record.py",
    "deploys/kit/secrets/__main__.py",
    "deploys/plat_02b.py",
    "deploys/status.py",
    "inventories/prod.py",
}


def anchors(page: str) -> set[str]:
    """The addresses of a page's headings, as the forges make them."""
    titles = re.findall(r"^#+ (.+)$", FENCE.sub("", page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def link_faults(pages: dict[str, str], exists: Callable[[str], bool]) -> list[str]:
    """Links inside the project that lead to no file or to no heading. `pages`: path -> text."""
    return [
        f"{path}: {link} leads nowhere"
        for path, text in pages.items()
        for link in LINK.findall(FENCE.sub("", text))
        if "://" not in link and not leads_somewhere(path, link, pages, exists)
    ]


def leads_somewhere(path: str, link: str, pages: dict[str, str], exists: Callable[[str], bool]) -> bool:
    file, _, anchor = link.partition("#")
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), file)) if file else path
    if target.startswith(".."):
        return False
    return exists(target) and (not anchor or anchor in anchors(pages.get(target, "")))


def commands_in(page: str) -> Iterator[list[str]]:
    """Every `make …`, `leadgen …`, `pyinfra …` and `python -m …` that stands as code, by words."""
    blocks = [block for match in FENCE.finditer(page) for block in match[0].splitlines()]
    indented = [line for line in page.splitlines() if line.startswith("    ")]
    for code in INLINE_CODE.findall(FENCE.sub("", page)) + blocks + indented:
        words = code.split("#")[0].strip().removeprefix("$ ").removeprefix(".venv/bin/").split()
        if words and (words[0] in {"make", "leadgen", "pyinfra"} or words[:2] == ["python", "-m"]):
            yield words


def command_faults(path: str, page: str, targets: set[str], exists: Callable[[str], bool]) -> list[str]:
    """Commands of a page that cannot be called: no such target, command, option, module or file."""
    return [
        f"{path}: `{' '.join(words)}` cannot be called"
        for words in commands_in(page)
        if not can_be_called(words, targets, exists)
    ]


def can_be_called(words: list[str], targets: set[str], exists: Callable[[str], bool]) -> bool:
    match words:
        case ["make", *rest]:
            return is_target(rest, targets)
        case ["leadgen", *rest]:
            return is_command(leadgen, rest)
        case ["pyinfra", *rest]:
            return is_deploy(rest, exists)
        case ["python", "-m", module, *rest]:
            return is_module(module, exists) and has_files(rest, exists) and is_module_command(module, rest)
    return False


def data_keys(sources: dict[str, str]) -> set[str]:
    """The names that are read from `--data`: what each `….data(…)` is called with, as text or by its constant."""
    found = set()
    trees = {path: ast.parse(source) for path, source in sources.items()}
    # A word that pages and a service share is a constant of the service's declaration.
    declared = [tree for path, tree in trees.items() if path.endswith("__init__.py")]
    for path, tree in trees.items():
        constants = {
            ast.unparse(node.target): node.value
            for node in (node for each in (*declared, tree) for node in ast.walk(each))
            if isinstance(node, ast.AnnAssign) and node.value
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "data":
                key = constants.get(ast.unparse(node.args[0]), node.args[0])
                assert isinstance(key, ast.Constant), f"{path}:{node.lineno}: give --data its name here"
                found.add(str(key.value))
    return found


PYINFRA_DATA = data_keys(
    {str(path): path.read_text(encoding="utf-8") for path in (Path(__file__).parents[2] / "deploys").rglob("*.py")}
)


def is_deploy(words: list[str], exists: Callable[[str], bool]) -> bool:
    """Whether the words are options that pages are run with, and an inventory and pages that exist.

    What stands after `exec` runs on the host.
    """
    words = words[: words.index("exec")] if "exec" in words else words
    options = {word for word in words if word.startswith("-")}
    given = {after.partition("=")[0] for word, after in pairwise(words) if word == "--data"}
    return options <= PYINFRA_OPTIONS and given <= PYINFRA_DATA and has_files(words, exists)


def has_files(words: list[str], exists: Callable[[str], bool]) -> bool:
    return all(exists(word) for word in words if word.endswith(".py"))


def is_module(module: str, exists: Callable[[str], bool]) -> bool:
    path = module.replace(".", "/")
    ours = path.split("/")[0] in {"deploys", "leadgen", "tests"}
    return not ours or exists(f"{path}.py") or exists(f"{path}/__main__.py")


def is_module_command(module: str, words: list[str]) -> bool:
    return module not in MODULES or is_command(MODULES[module], words)


def is_target(words: list[str], targets: set[str]) -> bool:
    named = [word for word in words if "=" not in word]
    return set(named) <= targets


def is_command(command: click.Command, words: list[str]) -> bool:
    """Whether the words name a command and options that it has; `jobs list|show` names several commands."""
    if not isinstance(command, click.Group):
        known = {name for parameter in command.params for name in parameter.opts}
        return {word.partition("=")[0] for word in words if word.startswith("--")} <= known
    if not words or words[0].startswith(("-", "<")):
        return True
    context = click.Context(command)
    named = [command.get_command(context, name) for name in words[0].strip(",;").split("|")]
    return all(below is not None and is_command(below, words[1:]) for below in named)


def off_the_map(readme: str, folders: set[str]) -> set[str]:
    """Folders that the README's table of the repository does not name."""
    return {folder for folder in folders if f"| `{folder}/` |" not in readme}


@pytest.fixture(scope="module")
def pages(texts: Callable[[str], dict[str, str]]) -> dict[str, str]:
    found = texts("*.md")
    assert "README.md" in found
    return found


@pytest.fixture(scope="module")
def targets(project: Path) -> set[str]:
    return set(TARGET.findall((project / "Makefile").read_text(encoding="utf-8")))


def test_every_link_leads_somewhere(pages: dict[str, str], project: Path) -> None:
    assert link_faults(pages, lambda path: (project / path).exists()) == []


def test_every_command_that_a_page_names_can_be_called(
    pages: dict[str, str], targets: set[str], project: Path
) -> None:
    # What was released keeps its words, whatever has become of its commands.
    today = {path: page for path, page in pages.items() if path != "CHANGELOG.md"}
    faults = [
        fault
        for path, page in today.items()
        for fault in command_faults(path, page, targets, lambda file: (project / file).exists())
    ]
    assert faults == []


def test_the_two_commands_of_the_readme_are_what_ci_runs(pages: dict[str, str], project: Path) -> None:
    told = {" ".join(words) for words in commands_in(pages["README.md"])}
    assert {"make run", "make test"} <= told
    ci = [(project / ".ci" / script).read_text(encoding="utf-8") for script in ("run", "first-run")]
    assert re.search(r"^(timeout \w+ )?\.ci/first-run$", ci[0], re.MULTILINE)
    assert re.search(r"^make run\b", ci[1], re.MULTILINE)
    assert re.search(r"^(timeout \w+ )?make test$", ci[0], re.MULTILINE)


def test_the_map_in_the_readme_names_every_room(pages: dict[str, str], paths: list[str]) -> None:
    rooms = {f"leadgen/{path.split('/')[1]}" for path in paths if re.match(r"leadgen/\w+/", path)}
    assert "leadgen/store" in rooms
    assert off_the_map(pages["README.md"], rooms) == set()


def test_the_changelog_has_a_place_for_what_is_not_released(pages: dict[str, str]) -> None:
    titles = re.findall(r"^## (.+)$", pages["CHANGELOG.md"], re.MULTILINE)
    assert titles[0] == "Unreleased"
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ - \d{4}-\d{2}-\d{2}", title) for title in titles[1:])


def test_a_link_that_leads_nowhere_is_found() -> None:
    pages = {
        "README.md": "[a](docs/why.md) [b](docs/gone.md) [c](docs/why.md#the-reason)\n"
        "[d](docs/why.md#gone) [e](#no)",
        "docs/why.md": "# The reason!\n[up](../README.md) [over](../../other.md)\n```\n[x](y)\n```\n",
    }
    faults = link_faults(pages, lambda path: path in pages)
    assert [fault.split()[1] for fault in faults] == ["docs/gone.md", "docs/why.md#gone", "#no", "../../other.md"]


@pytest.mark.parametrize(
    "page",
    [
        "Call `make bread`.",
        "```sh\nmake run bread\n```",
        "`leadgen fly`",
        "    leadgen keys steal",
        "       .venv/bin/leadgen keys steal",
        "`leadgen jobs list|eat`",
        "`leadgen sweep --twice`",
        "`.venv/bin/pyinfra inventories/prod.py deploys/plat_99.py`",
        "`pyinfra inventories/moon.py deploys/plat_02b.py`",
        "`pyinfra inventories/moon.py exec -- systemctl --failed`",
        "`pyinfra inventories/prod.py deploys/plat_02b.py --no-wait`",
        "`pyinfra inventories/prod.py deploys/plat_02b.py --data force=yes`",
        "`python -m deploys.kit.wishes`",
        "`.venv/bin/python -m deploys.status inventories/moon.py`",
        "`python -m deploys.kit.secrets steal prod`",
        "`python -m deploys.kit.run.record verify --quickly FILE`",
    ],
)
def test_a_command_that_cannot_be_called_is_found(page: str) -> None:
    assert len(command_faults("README.md", page, {"run", "test"}, FILES.__contains__)) == 1


@pytest.mark.parametrize(
    "page",
    [
        "make sure that it runs: `make run PORT=8001`",
        "make bread as prose",
        "`leadgen keys new --client web`",
        "`leadgen jobs list|show`, `leadgen`",
        "`.venv/bin/pyinfra -y --limit web-01 inventories/prod.py deploys/plat_02b.py --data verify=again`",
        "`.venv/bin/python -m deploys.status inventories/prod.py`",
        "`pyinfra inventories/prod.py exec -- systemctl --failed`",
        "`python -m deploys.kit.secrets set|rotate|list|check prod`",
        "`python -m pytest`",
        "pyinfra as prose",
    ],
)
def test_a_command_that_can_be_called_is_left_alone(page: str) -> None:
    assert command_faults("README.md", page, {"run", "test"}, FILES.__contains__) == []


def test_the_names_that_are_read_from_data_are_found() -> None:
    source = 'REF: Final = "ref"\nthis.run.data(REF)\nself.data("at")\nhost.data.get("no")\n"data(x)"\n'
    assert data_keys({"deploys/page.py": source}) == {"ref", "at"}
    with pytest.raises(AssertionError, match=r"page\.py:1"):
        data_keys({"deploys/page.py": "run.data(f'{a}')"})


def test_every_name_that_is_read_from_data_is_explained(pages: dict[str, str]) -> None:
    explained = "".join(page for path, page in pages.items() if path.startswith("docs/"))
    assert {name for name in PYINFRA_DATA if not re.search(rf"--data {name}\b", explained)} == set()


def test_a_room_that_is_not_on_the_map_is_found() -> None:
    assert off_the_map("| `leadgen/api/` | HTTP |", {"leadgen/api", "leadgen/attic"}) == {"leadgen/attic"}


def test_the_words_that_are_read_are_those_that_the_kit_and_the_services_declare() -> None:
    assert services.data_words() == PYINFRA_DATA
