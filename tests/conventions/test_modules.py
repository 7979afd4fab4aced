"""Every module says what it is for, and its name says it too."""

import ast
import io
import re
import tokenize
from collections.abc import Callable
from pathlib import PurePath

import pytest

# Names under which anything can be put, and therefore is.
EMPTY_WORDS = {"base", "common", "core", "helper", "helpers", "manager", "misc", "tools", "util", "utils"}

SILENCED = re.compile(r"# *(noqa|type: *ignore)")
REASONED = re.compile(r"# (noqa: [A-Z0-9, ]+ - |type: ignore\[[a-z, -]+\] *(# |- ))\S+ \S+")


def docstring_faults(path: str, source: str) -> list[str]:
    """A module begins with one sentence. An __init__.py may be empty: it then only marks a room."""
    if PurePath(path).name == "__init__.py" and not source.strip():
        return []
    docstring = ast.get_docstring(ast.parse(source)) or ""
    sentence, _, rest = docstring.partition("\n")
    if not sentence.endswith((".", ":")) or rest[:1].strip():
        return [f"{path}: the docstring has to begin with one line, a sentence on what the module is for"]
    return []


def silence_faults(path: str, source: str) -> list[str]:
    """Warnings of ruff or mypy that are silenced at a line without saying why."""
    return [
        f"{path}:{token.start[0]}: `{token.string}` gives no reason"
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and SILENCED.match(token.string) and not REASONED.match(token.string)
    ]


def name_faults(path: str) -> list[str]:
    words = {word for part in PurePath(path).with_suffix("").parts for word in part.split("_")}
    return [f"{path}: `{word}` says nothing; name the noun it is about" for word in sorted(words & EMPTY_WORDS)]


@pytest.fixture(scope="module")
def sources(texts: Callable[[str], dict[str, str]]) -> dict[str, str]:
    found = texts("*.py")
    assert len(found) > 60, "the pattern must still find code and tests"
    return found


def test_every_module_says_in_one_sentence_what_it_is_for(sources: dict[str, str]) -> None:
    assert [fault for path, source in sources.items() for fault in docstring_faults(path, source)] == []


def test_no_file_or_folder_has_a_name_that_says_nothing(sources: dict[str, str]) -> None:
    assert [fault for path in sources for fault in name_faults(path)] == []


def test_every_silenced_warning_has_its_reason(sources: dict[str, str]) -> None:
    assert [fault for path, source in sources.items() for fault in silence_faults(path, source)] == []


@pytest.mark.parametrize("source", ["", "import os\n", '"""No full stop"""\n', '"""Two\nlines."""\n'])
def test_a_module_without_its_sentence_is_found(source: str) -> None:
    assert len(docstring_faults("leadgen/store/queue.py", source)) == 1


def test_an_empty_init_needs_no_sentence() -> None:
    assert docstring_faults("leadgen/store/__init__.py", "") == []
    assert len(docstring_faults("leadgen/store/__init__.py", "import os\n")) == 1


@pytest.mark.parametrize("path", ["leadgen/utils.py", "leadgen/api/lock_manager.py", "leadgen/common/queue.py"])
def test_a_name_that_says_nothing_is_found(path: str) -> None:
    assert len(name_faults(path)) == 1
    assert name_faults("leadgen/store/database.py") == []


@pytest.mark.parametrize(
    "comment", ["# noqa", "# noqa: S310", "# type: ignore", "# type: ignore[misc]", "#noqa:S310"]
)
def test_a_warning_silenced_without_a_reason_is_found(comment: str) -> None:
    assert len(silence_faults("leadgen/api/app.py", f"import os  {comment}\n")) == 1


@pytest.mark.parametrize(
    "line",
    [
        "import os  # noqa: F401, E402 - loaded for its effect",
        "import os  # type: ignore[misc] # it ships no types",
        "text = '# noqa'",
    ],
)
def test_a_warning_silenced_with_a_reason_is_left_alone(line: str) -> None:
    assert silence_faults("leadgen/api/app.py", line + "\n") == []
