"""What a manifest may hold: its keys, the form of each value, and how a value is measured."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from marshmallow import Schema, ValidationError, fields, missing, validates_schema
from typing_extensions import override

UNPINNED: Final = "unpinned"  # nobody has measured this yet
POSTGRES_MAJOR: Final = 17  # what containers/postgres is built of, and so where its clusters are
WORKTREE: Final = "worktree"  # build what lies here, committed or not

_NAME: Final = r"(prod|staging|lab)(-[a-z0-9][a-z0-9.-]*)?"
_TWO_NUMBERS: Final = r"\d+\.\d+"
_TWO_OR_THREE_NUMBERS: Final = r"\d+\.\d+(\.\d+)?"
_THREE_NUMBERS: Final = r"\d+\.\d+\.\d+"
_SHA256: Final = r"[0-9a-f]{64}"
_FILE: Final = r"\w[\w.+-]*"
_ADDRESS_OR_FILE: Final = rf"https://[\w.-]+(:\d+)?/[\w./%~=?&+-]+|{_FILE}"
# With its registry: a short name is looked up wherever a host is told to search.
_IMAGE: Final = r"(?=[^/]*[.:])[a-z0-9-]+(\.[a-z0-9-]+)*(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+"
# Without capitals in front: HEAD and its like are no tags, they move.
_REF: Final = r"[a-z]\w*([.-]\w+)*(/\w+([.-]\w+)*)*"

_MISSING: Final = "is missing"
_NO_KEYS: Final = "holds no keys"


def environment(release: str) -> str:
    """The environment stands first in a release's name: prod-2 is prod's."""
    return release.partition("-")[0]


def faults(document: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with the text of a manifest: dotted key -> fault."""
    return dict(_flat(_Manifest().validate(document), ""))


def meanings() -> dict[str, str]:
    """Every key that a manifest may have: dotted key -> what belongs there and how it is measured."""
    return dict(_meanings(_Manifest()))


def is_ref(value: str) -> bool:
    """Whether it has the form of a git tag, or is the lab's `worktree`."""
    return re.fullmatch(_REF, value, re.ASCII) is not None


def _form(pattern: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        if value == UNPINNED:
            raise ValidationError("is unpinned")
        if not re.fullmatch(pattern, value, re.ASCII):
            raise ValidationError(f"is {value!r}" if value else "is empty")

    return check


def _pin(pattern: str, meaning: str) -> fields.String:
    return fields.String(
        required=True,
        validate=_form(pattern),
        error_messages={"required": _MISSING, "invalid": "is no single value"},
        metadata={"meaning": meaning},
    )


class _Keys(Schema):
    error_messages = {"unknown": "is no key of a manifest", "type": _NO_KEYS}  # noqa: RUF012 - marshmallow's own form


class _Packaged(_Keys):
    method = fields.String()
    version = _pin(_THREE_NUMBERS, "three numbers, as `podman --version` prints them")


class _Locked(_Packaged):
    archive = _pin(
        _ADDRESS_OR_FILE,
        "the static build for the host's processor: an https address, or the name of a file beside the manifest",
    )
    sha256 = _pin(_SHA256, "what `sha256sum ARCHIVE` prints, once `gpg --verify SIGNATURE ARCHIVE` calls it good")
    signature = _pin(
        _ADDRESS_OR_FILE,
        "the archive's detached signature: an https address, or the name of a file beside the manifest",
    )
    # Fetched at the deploy it would prove nothing: whoever swaps the archive swaps the key.
    key = _pin(
        _FILE, "the signer's public key: the name of a file beside the manifest; compare its fingerprint yourself"
    )


class _Archive(_Keys):
    method = fields.String()
    sha256 = _pin(
        _SHA256,
        "64 hex digits. Of an archive, what `sha256sum ARCHIVE` prints; of an image, its digest without `sha256:`"
        " from `podman pull IMAGE:TAG && podman image inspect --format '{{.Digest}}' IMAGE:TAG`",
    )


class _Registry(_Archive):
    image = _pin(_IMAGE, "the image of Debian 13, with the name of its registry and without a tag")


class _Postgres(_Keys):
    version = _pin(
        _TWO_NUMBERS,
        f"two numbers: the candidate of `apt-get update && apt-cache policy postgresql-{POSTGRES_MAJOR}` in a"
        " container of base, up to its first dash",
    )
    ref = _pin(
        _REF, "the git tag whose containers/postgres is built, of those in `git tag --list`; `worktree` in the lab"
    )


class _Redis(_Keys):
    version = _pin(
        _THREE_NUMBERS,
        "three numbers: the candidate of `apt-get update && apt-cache policy redis-server` in a container of base,"
        " between its colon and its first dash",
    )
    ref = _pin(
        _REF, "the git tag whose containers/redis is built, of those in `git tag --list`; `worktree` in the lab"
    )


class _Leadgen(_Keys):
    python = _pin(
        _THREE_NUMBERS,
        "three numbers: the candidate of `apt-get update && apt-cache policy python3` in a container of base,"
        " up to its first dash",
    )
    ref = _pin(
        _REF,
        "the git tag whose leadgen/, requirements/ and containers/leadgen are built, of those in `git tag --list`;"
        " `worktree` in the lab",
    )


class _Nginx(_Keys):
    version = _pin(
        _THREE_NUMBERS,
        "three numbers: what `apt-get update && apt-cache policy nginx` (or `dnf list nginx`) on the host offers,"
        " up to its first dash",
    )


class _Backup(_Keys):
    version = _pin(
        _TWO_OR_THREE_NUMBERS,
        "numbers: what `apt-get update && apt-cache policy pgbackrest` (or `dnf list pgbackrest`) on the host"
        " offers, up to its first dash",
    )


class _OneOf(fields.Field[Any]):
    """Keys of one of several forms; the key `method` says which."""

    def __init__(self, meaning: str, **forms: Schema) -> None:
        super().__init__(required=True, error_messages={"required": _MISSING})
        self.method = _pin("|".join(forms), meaning)
        self.forms = forms

    @override
    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        if not isinstance(value, dict):
            raise ValidationError(_NO_KEYS)
        try:
            method = str(self.method.deserialize(value.get("method", missing)))
        except ValidationError as error:
            raise ValidationError({"method": error.messages}) from None
        return self.forms[method].load(value)


class _Manifest(_Keys):
    release = _pin(_NAME, "prod, staging or lab, or one of them with a dash and a name of its own: prod-2")
    podman = _OneOf(
        "`package` (the distribution's) or `locked` (one archive, by checksum and signature)",
        package=_Packaged(),
        locked=_Locked(),
    )
    base = _OneOf(
        "`archive` (a root file system, imported) or `registry` (an image, pulled by digest)",
        archive=_Archive(),
        registry=_Registry(),
    )
    postgres = fields.Nested(_Postgres, required=True, error_messages={"required": _MISSING})
    redis = fields.Nested(_Redis, required=True, error_messages={"required": _MISSING})
    leadgen = fields.Nested(_Leadgen, required=True, error_messages={"required": _MISSING})
    nginx = fields.Nested(_Nginx, required=True, error_messages={"required": _MISSING})
    backup = fields.Nested(_Backup, required=True, error_messages={"required": _MISSING})

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def keep_the_worktree_in_the_lab(self, _: object, document: object, **__: object) -> None:
        """What nobody committed has no name that another could build it by."""
        match document:
            case {"release": str(release), **pieces} if environment(release) != "lab":
                loose = [name for name, piece in pieces.items() if _is_built_from_the_worktree(piece)]
                if loose:
                    raise ValidationError({name: {"ref": [f"is {WORKTREE!r} outside the lab"]} for name in loose})


def _is_built_from_the_worktree(piece: object) -> bool:
    return isinstance(piece, dict) and piece.get("ref") == WORKTREE


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
        if isinstance(field, _OneOf):
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
