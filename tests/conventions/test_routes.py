"""Every route of every app needs a key and is in OpenAPI, or is public for a reason that is written down here."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from types import MethodType
from typing import Any, NamedTuple, NoReturn

import pytest
from flask import Flask, request
from werkzeug.routing import Rule

from leadgen import wsgi
from leadgen.api import intake_middleware
from leadgen.api.intake_middleware import IntakeMiddleware
from leadgen.api.problems import Problem
from leadgen.api.services import services, services_of
from leadgen.dev.place import KEY_FILE
from leadgen.domain.api_key import mint

Json = dict[str, Any]
INTAKE = frozenset({"intake"})
KEY, LINE = mint("partner", INTAKE, None)
WRONG_KEYS = {
    "no key": None,
    "a mistyped key": f"Bearer {KEY[:-1]}",
    "an unknown key": f"Bearer {mint('partner', INTAKE, None)[0]}",
    "a key of another scheme": f"Basic {KEY}",
}
PARAMETER = re.compile(r"<(?:(\w+)(?:\(.*?\))?:)?(\w+)>")
SAMPLES = {
    "": "x",
    "int": "7",
    "path": "x/y",
    "uuid": "00000000-0000-7000-8000-000000000000",
}  # by the rule's converter


class App(NamedTuple):
    """An app as it is served: how it is made in a folder, below which path, and which of its routes are public.

    `front` is the type of what answers before Flask; the paths that it answers by itself need a test of their own.
    """

    make: Callable[[Path], AbstractContextManager[Flask]]
    prefix: str
    public: Mapping[str, str]
    front: type = MethodType  # Flask's own


@contextmanager
def leadgen(folder: Path, *, profile: str) -> Iterator[Flask]:
    """What gunicorn serves, with its keys and without a database: a key is judged before anything is looked up."""
    (folder / "keys").write_text(f"{LINE}\n")
    (folder / KEY_FILE).write_text(KEY)
    settings = {
        "LEADGEN_DATABASE_URL": "postgresql://motorcade_api@127.0.0.1:1/none",
        "LEADGEN_REDIS_URL": "redis://127.0.0.1:1",
        "LEADGEN_API_KEYS_FILE": str(folder / "keys"),
        "LEADGEN_PROFILE": profile,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("LEADGEN_")]:
            patch.delenv(name)
        for name, value in settings.items():
            patch.setenv(name, value)
        app = wsgi.make()
    yield app
    services_of(app).close()


PUBLIC = {
    "GET /lead/health": "Monitoring has no key; it holds counts and states, and nothing of a lead.",
    "GET /lead/version": "Contract v1 has it open: it names the service, the contract and the release.",
    "GET /lead/ready": "Whoever sends traffic asks it before there is any; it says yes or why not.",
    "GET /metrics": "Prometheus asks on loopback, and nginx does not route it; it holds counts only.",
    "GET /lead/openapi.json": "Clients are generated from it before they have a key.",
    "GET /lead/docs": "The same for people.",
    "GET /lead/problems": "The list of errors.",
    "GET /lead/problems/{slug}": "The `type` of an error answer leads here, also of one without a key.",
    "GET /lead/static/{filename}": "The style sheet of the public pages.",
}
DEV_PUBLIC = {
    "GET /": "The form page, on this machine's own names only; it hands the dev key to the browser.",
    "GET /form/{filename}": "Its style and its script.",
}
APPS = {
    "leadgen": App(partial(leadgen, profile="production"), "/lead", PUBLIC, IntakeMiddleware),
    "leadgen, dev": App(partial(leadgen, profile="dev"), "/lead", PUBLIC | DEV_PUBLIC, IntakeMiddleware),
}


class Route(NamedTuple):
    """A rule of the app by one of its methods; `path` is written as OpenAPI writes it."""

    method: str
    path: str
    url: str

    @property
    def name(self) -> str:
        """HEAD goes by its GET."""
        return f"{'GET' if self.method == 'HEAD' else self.method} {self.path}"


def routes(app: Flask) -> Iterator[Route]:
    for rule in app.url_map.iter_rules():
        for method in sorted(methods_of(rule)):
            yield Route(
                method,
                PARAMETER.sub(r"{\2}", rule.rule),
                PARAMETER.sub(lambda match: SAMPLES[match[1] or ""], rule.rule),
            )


def methods_of(rule: Rule) -> set[str]:
    """Without OPTIONS where Flask answers it by itself, with the methods that there are."""
    own = getattr(rule, "provide_automatic_options", False)
    return (rule.methods or set()) - ({"OPTIONS"} if own else set())


def operations(described: Json, prefix: str) -> dict[str, bool]:
    """What OpenAPI describes, by the name of its route: whether a key is needed there."""
    everywhere = described.get("security", [])
    schemes = described["components"].get("securitySchemes", {})
    return {
        f"{method.upper()} {prefix}{path}": needs_key(operation.get("security", everywhere), schemes)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }


def needs_key(security: list[Json], schemes: Json) -> bool:
    """Whether each of the alternatives asks for something; an empty one asks for nothing."""
    return bool(security) and all(choice and choice.keys() <= schemes.keys() for choice in security)


def faults(app: Flask, made_as: App, found: list[Route], described: dict[str, bool]) -> list[str]:
    """What is wrong with these routes of the app, each fault with the name of its route."""
    return [
        fault
        for route in found
        for fault in (
            public_faults(route, described)
            if route.name in made_as.public
            else [*description_faults(route, described), *guard_faults(app, route)]
        )
    ]


def public_faults(route: Route, described: dict[str, bool]) -> Iterator[str]:
    if described.get(route.name):
        yield f"{route.name} needs a key, says OpenAPI, and is in PUBLIC; take it off one of them"


def description_faults(route: Route, described: dict[str, bool]) -> Iterator[str]:
    if route.name not in described:
        yield f"{route.name} is not in OpenAPI; describe it, or put it in PUBLIC with the reason"
    elif not described[route.name]:
        yield f"{route.name} needs no key, says OpenAPI; give it its `security`, or put it in PUBLIC"


def guard_faults(app: Flask, route: Route) -> Iterator[str]:
    """Requests are really sent: to each wrong key 401 is the only answer, and to a good one any other."""
    for word, header in WRONG_KEYS.items():
        if (status := status_of(app, route, header)) != 401:
            yield f"{route.name} answers {route.method} with {word} by {status}, not by 401"
    if status_of(app, route, f"Bearer {KEY}") == 401:
        yield f"{route.name} answers {route.method} with a good key by 401"


def status_of(app: Flask, route: Route, header: str | None) -> int:
    headers = {} if header is None else {"Authorization": header}
    # As it goes over the wire: the client would take the first word after two slashes for a host.
    sent = {"PATH_INFO": route.url}
    with app.test_client().open(method=route.method, headers=headers, environ_overrides=sent) as response:
        return response.status_code


def leftovers(made_as: App, found: list[Route], described: dict[str, bool]) -> list[str]:
    """What is described or public, and is not there."""
    names = {route.name for route in found}
    return [f"{name} is in OpenAPI, and there is no such route" for name in described.keys() - names] + [
        f"{name} is in PUBLIC, and there is no such route" for name in made_as.public.keys() - names
    ]


def front_faults(app: Flask, made_as: App) -> list[str]:
    front = type(app.wsgi_app)
    if front is made_as.front:
        return []
    return [f"{front.__name__} answers before Flask; name it in APPS, and test the paths that it answers"]


def described_by(app: Flask, made_as: App) -> dict[str, bool]:
    """As the app itself serves it."""
    answer = app.test_client().get(f"{made_as.prefix}/openapi.json")
    return operations(json.loads(answer.data), made_as.prefix)


@pytest.mark.parametrize("name", APPS)
def test_every_route_needs_a_key_and_is_in_openapi_or_is_public_for_a_reason(name: str, tmp_path: Path) -> None:
    made_as = APPS[name]
    with made_as.make(tmp_path) as app:
        described, found = described_by(app, made_as), list(routes(app))
        assert faults(app, made_as, found, described) == []
        assert leftovers(made_as, found, described) == []
        assert front_faults(app, made_as) == []


@pytest.mark.parametrize("name", APPS)
def test_every_public_route_has_its_reason_in_a_sentence(name: str) -> None:
    assert [route for route, why in APPS[name].public.items() if len(why.split()) < 3 or why[-1] != "."] == []


@pytest.mark.parametrize("word", WRONG_KEYS)
@pytest.mark.parametrize("slashes", ["/", "//", "///"])
@pytest.mark.parametrize("path", sorted(intake_middleware.PATHS))
def test_what_the_middleware_answers_is_a_route_and_needs_a_key_however_it_is_written(
    path: str, slashes: str, word: str, tmp_path: Path
) -> None:
    written = slashes + path
    route = Route("POST", written, written)
    with leadgen(tmp_path, profile="production") as app:
        assert app.url_map.bind("localhost").match(written, method="POST")[0] == intake_middleware.ENDPOINT
        assert status_of(app, route, WRONG_KEYS[word]) == 401


# The controls: a route beside the others, as somebody might add one.


def export(**_year: int) -> str:
    return "every lead"


def guarded_export(**_year: int) -> str:
    services().keys.authenticate(request.environ, "intake")
    return "every lead"


def export_that_guards_one_method(**_year: int) -> str:
    return guarded_export() if request.method == "POST" else export()


def export_that_looks_for_any_key(**_year: int) -> str:
    if not request.headers.get("Authorization"):
        raise Problem("unauthorized")
    return export()


def closed_export(**_year: int) -> NoReturn:
    raise Problem("unauthorized")


OPEN_GET, OPEN_POST = (
    {f"{methods[0]} answers {method} with {word} by 200, not by 401" for method in methods for word in WRONG_KEYS}
    for methods in (["GET", "HEAD"], ["POST"])
)


@pytest.mark.parametrize(
    ("view", "described", "expected"),
    [
        (guarded_export, {"GET": True, "POST": True}, set()),
        (guarded_export, {"POST": True}, {"GET is not in OpenAPI"}),
        (guarded_export, {"GET": False, "POST": True}, {"GET needs no key, says OpenAPI"}),
        (export, {}, {"GET is not in OpenAPI", "POST is not in OpenAPI", *OPEN_GET, *OPEN_POST}),
        (export, {"GET": True, "POST": True}, {*OPEN_GET, *OPEN_POST}),
        (export_that_guards_one_method, {"GET": True, "POST": True}, OPEN_GET),
        (
            export_that_looks_for_any_key,
            {"GET": True, "POST": True},
            {fault for fault in OPEN_GET | OPEN_POST if "no key" not in fault},
        ),
        (
            closed_export,
            {"GET": True, "POST": True},
            {
                "GET answers GET with a good key by 401",
                "GET answers HEAD with a good key by 401",
                "POST answers POST with a good key by 401",
            },
        ),
    ],
)
def test_a_route_that_lacks_its_key_or_its_description_is_found_by_name(
    view: Callable[..., str], described: dict[str, bool], expected: set[str], tmp_path: Path
) -> None:
    made_as = APPS["leadgen"]
    with made_as.make(tmp_path) as app:
        app.add_url_rule("/lead/export/<int:year>", view_func=view, methods=["GET", "POST"])
        added = [route for route in routes(app) if "export" in route.path]
        assert sorted(route.method for route in added) == ["GET", "HEAD", "POST"]
        named = {f"{method} /lead/export/{{year}}": needed for method, needed in described.items()}
        found = faults(app, made_as, added, named)
    assert {fault.replace(" /lead/export/{year}", "").partition(";")[0] for fault in found} == expected


def test_a_public_route_that_asks_for_a_key_is_found(tmp_path: Path) -> None:
    made_as = APPS["leadgen"]._replace(public={"GET /lead/export": "Anybody may have it."})
    with made_as.make(tmp_path) as app:
        app.add_url_rule("/lead/export", view_func=guarded_export)
        added = [route for route in routes(app) if "export" in route.path]
        assert len(faults(app, made_as, added, {"GET /lead/export": True})) == 2  # of GET and of HEAD


def test_what_is_described_or_public_without_a_route_is_found() -> None:
    made_as = App(partial(leadgen, profile="production"), "/lead", {"GET /lead/gone": "It was there once."})
    assert len(leftovers(made_as, [], {"GET /lead/never": True})) == 2
    assert leftovers(made_as, [Route("HEAD", "/lead/gone", "/lead/gone")], {}) == []


def test_what_answers_before_flask_without_being_named_is_found(tmp_path: Path) -> None:
    with leadgen(tmp_path, profile="production") as app:
        assert front_faults(app, APPS["leadgen"]) == []
        assert len(front_faults(app, APPS["leadgen"]._replace(front=MethodType))) == 1


@pytest.mark.parametrize(
    ("security", "needed"),
    [([{"apiKey": []}], True), ([], False), ([{"apiKey": []}, {}], False), ([{"another": []}], False)],
)
def test_a_key_is_needed_only_if_no_alternative_does_without(security: list[Json], *, needed: bool) -> None:
    described = {
        "components": {"securitySchemes": {"apiKey": {}}},
        "security": security,
        "paths": {"/export": {"get": {}}, "/open": {"get": {"security": []}}},
    }
    assert operations(described, "/lead") == {"GET /lead/export": needed, "GET /lead/open": False}
