"""YAML without surprises: every value is the text as written, and nothing is silently dropped."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml


def read(text: str) -> tuple[Any, dict[str, str]]:
    """The document as dicts, lists and text, and its faults: dotted path -> what is wrong.

    Types are not guessed: 17.10 is a version, not a number. Raises ValueError for text that is not such YAML.
    """
    try:
        for event in yaml.parse(text, Loader=yaml.BaseLoader):
            _refuse_shortcuts(event)
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        said = " ".join(filter(None, (error.context, error.problem)))
        raise ValueError(f"line {line}: {said}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from None
    faults: dict[str, str] = {}
    return None if node is None else _plain(node, "", faults), faults


def write(document: Mapping[str, Any]) -> str:
    """Text that `read` gives back as it was, in the same order; quoted where another parser would guess a type."""
    return str(yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000))


def _refuse_shortcuts(event: yaml.Event) -> None:
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        problem = "anchors and aliases are not read here, write the value out"
    elif getattr(event, "tag", None):
        problem = "tags are not read here, write the value alone"
    else:
        return
    line = event.start_mark.line + 1 if event.start_mark else 1
    raise ValueError(f"line {line}: {problem}")


def _plain(node: yaml.Node, path: str, faults: dict[str, str]) -> Any:  # noqa: ANN401 - whatever the text holds
    if isinstance(node, yaml.MappingNode):
        return dict(_members(node, path, faults))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, f"{path}[{index}]", faults) for index, item in enumerate(node.value)]
    return node.value


def _members(node: yaml.MappingNode, path: str, faults: dict[str, str]) -> Iterator[tuple[str, Any]]:
    seen = set()
    for key, value in node.value:
        line = key.start_mark.line + 1
        word = key.value if isinstance(key, yaml.ScalarNode) else f"line {line}"
        full = f"{path}.{word}".lstrip(".")
        if not isinstance(key, yaml.ScalarNode):
            faults[full] = "has a key that is not plain text"
        elif word in seen:
            faults[full] = f"stands twice, again in line {line}"
        seen.add(word)
        yield word, _plain(value, full, faults)
