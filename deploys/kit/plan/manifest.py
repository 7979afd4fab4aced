"""What a manifest may hold: the release's name, the base image, and a block for each service that has a pin."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from marshmallow import Schema, ValidationError, fields, validates_schema

from deploys.kit.plan import pin, services
from deploys.kit.plan.pin import Keys, OneOf

_NAME = r"(prod|staging|lab)(-[a-z0-9][a-z0-9.-]*)?"


def environment(release: str) -> str:
    """A release's name begins with its environment: prod-2 is a release of prod."""
    return release.partition("-")[0]


def faults(document: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with the text of a manifest: dotted key -> fault."""
    return dict(_flat(_schema().validate(document), ""))


def meanings() -> dict[str, str]:
    """Every key that a manifest may have: dotted key -> what belongs there and how it is measured."""
    return dict(_meanings(_schema()))


_SHA256_OF_BASE = pin.value(
    pin.SHA256,
    "64 hex digits. Of an archive, what `sha256sum ARCHIVE` prints; of an image, its digest without `sha256:`"
    " from `podman pull IMAGE:TAG && podman image inspect --format '{{.Digest}}' IMAGE:TAG`",
)

_REFRESHED = pin.value(
    pin.DAY,
    "the day, such as 2026-11-27, on which every image gets Debian's packages as they are then; a later one builds"
    " all of them again",
)


class _Manifest(Keys):
    release = pin.value(_NAME, "prod, staging or lab, or one of them with a dash and a name of its own: prod-2")
    base = OneOf(
        "`archive` (a root file system, imported) or `registry` (an image, pulled by digest)",
        archive={"sha256": _SHA256_OF_BASE, "refreshed": _REFRESHED},
        registry={
            "sha256": _SHA256_OF_BASE,
            "refreshed": _REFRESHED,
            "image": pin.value(
                pin.IMAGE, "the image of Debian 13, with the name of its registry and without a tag"
            ),
        },
    )

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def keep_the_worktree_in_the_lab(self, _: object, document: object, **__: object) -> None:
        """What is not committed has no name by which it could be built again."""
        match document:
            case {"release": str(release), **pieces} if environment(release) != "lab":
                loose = [name for name, piece in pieces.items() if _is_built_from_the_worktree(piece)]
                if loose:
                    raise ValidationError(
                        {name: {"ref": [f"is {pin.WORKTREE!r} outside the lab"]} for name in loose}
                    )


@cache
def _schema() -> Schema:
    pinned = {service.name: service.pinned.form for service in services.every() if service.pinned}
    return _Manifest.from_dict(pinned)()


def _is_built_from_the_worktree(piece: object) -> bool:
    return isinstance(piece, dict) and piece.get("ref") == pin.WORKTREE


def _flat(messages: Mapping[Any, Any], path: str) -> Iterator[tuple[str, str]]:
    """Marshmallow's nested messages, one fault a dotted key."""
    for key, found in messages.items():
        full = path if key == "_schema" else f"{path}.{key}".lstrip(".")
        if isinstance(found, Mapping):
            yield from _flat(found, full)
        else:
            yield full, found[0]


def _meanings(schema: Schema) -> Iterator[tuple[str, str]]:
    for key, field in schema.fields.items():
        forms: list[Schema] = []
        if isinstance(field, OneOf):
            yield f"{key}.method", field.method.metadata["meaning"]
            forms = list(field.forms.values())
        elif isinstance(field, fields.Nested):
            forms = [field.schema]
        for form in forms:
            yield from ((f"{key}.{inner}", meaning) for inner, meaning in _meanings(form))
        if forms:
            yield key, f"its keys, such as {key}.{next(iter(forms[0].fields))}"
        elif "meaning" in field.metadata:
            yield key, field.metadata["meaning"]
