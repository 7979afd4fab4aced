"""Prose is left out of what is compared, and nothing else is: whatever is not surely prose counts."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploys.kit import prose
from deploys.kit.operations.hostfiles import REPOSITORY, template_file
from deploys.kit.prose import code, without_comments, without_heading

UNIT = "/etc/containers/systemd/a.container"
EDGE = "/etc/nginx/nginx.conf"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("path", "text", "left"),
    [
        (UNIT, "# a\n[Unit]\n# b\nKey=1\n#\n", "[Unit]\nKey=1\n"),
        (EDGE, "a 'b c';\n    # it's a comment\nd;\n# e", "a 'b c';\nd;"),
        (
            EDGE,
            "a b;  # it's one too, but beside a directive\n# c\n",
            "a b;  # it's one too, but beside a directive\n",
        ),
        (EDGE, """a "\\"" '{"b": "c"}\\n';\n# d\n""", """a "\\"" '{"b": "c"}\\n';\n"""),
        (UNIT, "Description=Ann's\n# a\n", "Description=Ann's\n"),
        ("/a.conf", "# größer\nport 1\n", "port 1\n"),
        ("/a.sh", "# a\n# b\necho c\n# d\n", "echo c\n# d\n"),
        ("/a", "#!/bin/sh\n# a\necho c\n# d\n", "#!/bin/sh\necho c\n# d\n"),
    ],
)
def test_comments_are_left_out(path: str, text: str, left: str) -> None:
    assert without_comments(path, text) == left


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param("/etc/a", "# a\n", id="a kind of file that is not known"),
        pytest.param("/etc/a.json", "# a\n", id="a kind of file without comments"),
        pytest.param("/a", "#!/bin/sh\n", id="the first line says who runs it"),
        pytest.param("/a.sh", "cat <<END\n# a\nEND\n", id="heredoc"),
        pytest.param("/a.sh", "echo 'a\n# b'\n", id="a quotation of a script"),
        pytest.param("/a.conf", "password a#b\n", id="within a value"),
        pytest.param("/a.conf", "key a # b\n", id="behind a value"),
        pytest.param("/a.conf", "key\\\n# a\n", id="a line that goes on"),
        pytest.param("/a.conf", "# a\\\nkey\n", id="a comment that may go on"),
        pytest.param("/a.conf", "# a\rKey=1\n", id="systemd's other end of a line"),
        pytest.param("/a.conf", "# a\0Key=1\n", id="and the third"),
        pytest.param("/a.conf", "; a\n", id="a sign that only some know"),
        pytest.param(EDGE, "a 'b\n# c';\n", id="an open quotation"),
        pytest.param(EDGE, 'a "b\n# c";\n', id="an open quotation of two"),
        pytest.param(EDGE, "a '\\'\n# b';\n", id="a quotation that only seems to end"),
        pytest.param(EDGE, "a \"'\" '\n# b';\n", id="a quotation within another"),
        pytest.param(EDGE, "a b'c 'd\n# e';\n", id="a quote within a word"),
        pytest.param(EDGE, "a b;'c\n# d';\n", id="a quotation right behind an end"),
        pytest.param(EDGE, "a {'c\n# d';\n", id="and behind a brace"),
        pytest.param(EDGE, "a b'c ';\n# d';\n", id="a quotation that begins with an end"),
        pytest.param(EDGE, "a b\\ 'c ';\n# d';\n", id="a blank within a word"),
        pytest.param("/a.conf", 'a = """\n# b\n"""\n', id="three quotes"),
    ],
)
def test_whatever_may_be_content_is_kept(path: str, text: str) -> None:
    assert without_comments(path, text) == text


WORDS = st.text(st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\\"), max_size=9)
COMMENT = WORDS.map("# {}".format)
SETTING = st.from_regex(r"[A-Za-z]{1,4} [a-z0-9#;]{1,4}( '[a-z#]{0,3}')?;", fullmatch=True)
FILE = st.lists(SETTING | st.just(""), min_size=1, max_size=6)


@given(FILE, st.data())
def test_comments_can_come_go_and_be_reworded(settings: list[str], data: st.DataObject) -> None:
    def commented() -> str:
        lines: list[str] = []
        for setting in settings:
            lines += [*data.draw(st.lists(COMMENT, max_size=2)), setting]
        return "\n".join(lines)

    assert without_comments(EDGE, commented()) == without_comments(EDGE, commented()) == "\n".join(settings)


@given(FILE, FILE, st.data())
def test_two_files_with_other_settings_never_seem_the_same(
    one: list[str], other: list[str], data: st.DataObject
) -> None:
    def commented(settings: list[str]) -> str:
        place = data.draw(st.integers(0, len(settings)))
        return "\n".join([*settings[:place], data.draw(COMMENT), *settings[place:]])

    same = without_comments(EDGE, commented(one)) == without_comments(EDGE, commented(other))
    assert same == (one == other)


@given(FILE, st.integers(0), SETTING)
def test_any_edit_of_a_line_that_is_no_comment_is_seen(settings: list[str], place: int, new: str) -> None:
    text = "\n".join(["# a", *settings, "last;"])
    place %= len(settings)
    edits = [
        [*settings[:place], new, *settings[place:]],
        [*settings[:place], *settings[place + 1 :]],
        [*settings[:place], f"{settings[place]} ", *settings[place + 1 :]],
    ]
    for edited in edits:
        assert without_comments(EDGE, "\n".join(["# a", *edited, "last;"])) != without_comments(EDGE, text)


TEXT = st.text(st.sampled_from("#'\"\\ a;\n\t={["), max_size=30)


@given(TEXT)
def test_what_is_left_out_is_a_line_of_its_own_that_begins_as_a_comment(text: str) -> None:
    rest = iter(text.split("\n"))
    for line in without_comments(EDGE, text).split("\n") if without_comments(EDGE, text) else []:
        skipped = next(each for each in rest if each == line or not each.lstrip(" \t").startswith("#"))
        assert skipped == line
    assert all(each.lstrip(" \t").startswith("#") or not each for each in rest)


def test_every_comment_of_our_own_settings_and_units_is_known_as_one() -> None:
    files = [path for path in REPOSITORY.glob("deploys/**/templates/*") if path.suffix in prose._COMMENTED]  # noqa: SLF001 - the list is under test
    assert len(files) > 30
    for file in files:
        # As rendered, but with any word for a value; a problem of nginx is a whole directive.
        text = re.sub(r"\{\{ problem\(.*\) \}\}", "return 404;", file.read_text(encoding="utf-8"))
        text = re.sub(r"\{% raw %\}|\{% endraw %\}|\{\{.*?\}\}", "x", text)
        left = without_comments(f"/{file.name}", text)
        assert re.findall(r"(?m)^\s*#.*", left) == [], file


def test_the_heading_of_our_own_scripts_is_left_out_and_their_first_line_is_not() -> None:
    scripts = {file: file.read_text(encoding="utf-8") for file in REPOSITORY.glob("deploys/**/templates/*.sh")}
    for file, text in scripts.items():
        assert not without_heading(text).startswith("#"), file
    # Below the first command of another script, a heading is none.
    included = re.findall(r'include "(\S+[.]sh)"', "".join(scripts.values()))
    assert included
    assert not any(scripts[REPOSITORY / template_file(name)].startswith("#") for name in included)
    manifest = (REPOSITORY / template_file("backup/manifest")).read_text(encoding="utf-8")
    first, second, *_ = without_comments("/manifest", manifest).split("\n")
    assert (first, second[:1]) == ("#!/bin/sh", "s")


PAGE = '''"""PLAT_99: a page."""

from deploys.kit import gate, page

NAME = "redis"  # a name


def title(name: str) -> str:
    """Words."""
    return name


# What
this = page.begin("PLAT_99")
gate.wait(this, title(NAME), f"test {NAME!r}", seconds=0)
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("PLAT_99: a page.", "PLAT_99: the same page, in other words."),
        ('"""PLAT_99: a page."""\n', ""),
        ("Words.", "Other words."),
        ('    """Words."""\n', ""),
        ("# What\n", "# What it is\n\n"),
        ("  # a name", ""),
        ("title(NAME), ", "title(NAME),\n    "),
        (
            "from deploys.kit import gate, page",
            "from deploys.kit.operations import gate\nfrom deploys.kit.run import page",
        ),
        ("from deploys.kit import gate, page", "from deploys.kit import page\nfrom deploys.kit import gate"),
    ],
)
def test_a_page_says_the_same_in_other_words_and_with_modules_that_have_moved(old: str, new: str) -> None:
    assert PAGE.count(old) == 1
    assert code(PAGE.replace(old, new)) == code(PAGE)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('PLAT_99")', 'PLAT_98")'),
        ('NAME = "redis"', 'NAME = ""'),
        ('NAME = "redis"', "NAME = None"),
        ("seconds=0", "seconds=False"),
        ("seconds=0", "seconds=1"),
        ("!r", ""),
        ("return name", "return NAME"),
        ("gate.wait", "gate.once"),
        ("import gate, page", "import gate, page, steps"),
        ("import gate, page", "import once as gate, page"),
        ("import gate, page", "import gate as page, page as gate"),
        ("# What\n", "page.begin('PLAT_98')\n"),
    ],
)
def test_a_page_that_does_something_else_is_another(old: str, new: str) -> None:
    assert PAGE.count(old) == 1
    assert code(PAGE.replace(old, new)) != code(PAGE)


def test_no_two_pages_of_this_repository_are_the_same_and_all_have_a_body() -> None:
    pages = list((ROOT / "deploys").glob("[a-z]*_0*.py"))
    codes = {code(page.read_text(encoding="utf-8")) for page in pages}
    assert len(codes) == len(pages) > 15
    assert all("page" in each and "begin" in each for each in codes)


@pytest.mark.parametrize("value", ["0", "False", "''", "None", "b''", "0.0", "()", "0j"])
def test_empty_values_are_told_apart(value: str) -> None:
    others = {
        code(f"x = {each}") for each in ("0", "False", "''", "None", "b''", "0.0", "()", "0j") if each != value
    }
    assert code(f"x = {value}") not in others
