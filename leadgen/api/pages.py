"""The pages for a browser: the API's documentation, and a page for each type of problem."""

import json
import re
from typing import Final
from urllib.parse import urljoin

from flask import Blueprint, Response, render_template, request
from markupsafe import Markup, escape

from leadgen.api import openapi
from leadgen.api.flags import FLAGS
from leadgen.api.problems import CATALOGUE, Problem
from leadgen.api.schema_walk import Json, example, members
from leadgen.api.services import services

# No scripts and no external resources: the pages are text and one style sheet.
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_MAY_BE_KEPT: Final = "public, max-age=300"
_LEVELS_OF_A_PAGE: Final = 2  # /lead/docs

# The key is made on a line of its own: a retry repeats the command after it, another submission both.
_CURL: Final = """\
key=$(uuidgen 2>/dev/null || cat /proc/sys/kernel/random/uuid)

curl -i {url}/intake \\
  -H 'X-API-Key: mcl_…' \\
  -H "Idempotency-Key: $key" \\
  -H 'Content-Type: application/json' \\
  -d '{body}'"""

blueprint = Blueprint("pages", __name__, static_folder="static", template_folder="templates")


@blueprint.app_template_filter("code")
def show_code(text: str) -> Markup:
    """Show text between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - it is escaped


@blueprint.app_template_filter("breakable")
def break_name(name: str) -> Markup:
    """Let the words of a name or an address come on lines of their own where the screen is narrow."""
    return Markup(re.sub(r"([._/-])(?=.)", r"\1<wbr>", str(escape(name))))  # noqa: S704 - it is escaped


@blueprint.get("/openapi.json")
def get_openapi() -> Response:
    """Return the OpenAPI document; clients are generated from it."""
    text = json.dumps(openapi.build(services().config), indent=2) + "\n"
    return Response(text, mimetype="application/json", headers={"Cache-Control": _MAY_BE_KEPT})


@blueprint.get("/docs")
def get_docs() -> Response:
    config = services().config
    public_url = config.public_url
    # Never the request's Host: a cached page would show a stranger's address to the next reader, who sends a key.
    address = urljoin(f"http://{config.bind}", public_url)
    api = openapi.build(config)
    body = {name: part for name, part in example(api, "Submission").items() if name in {"contact", "request"}}
    return _page(
        "docs.html",
        api=api,
        public_url=public_url,
        members=list(members(api, "Submission")),
        fields_of=lambda response: _fields_of(api, response),
        flags=FLAGS,
        curl=_CURL.format(url=address, body=json.dumps(body, indent=2)),
    )


@blueprint.get("/problems")
def get_problems() -> Response:
    return _page("problems.html", kinds=CATALOGUE.values())


@blueprint.get("/problems/<slug>")
def get_problem(slug: str) -> Response:
    if slug not in CATALOGUE:
        raise Problem("not-found")
    body = openapi.example_problem(services().config, slug)
    return _page("problem.html", kind=CATALOGUE[slug], example=json.dumps(body, indent=2))


def _fields_of(api: Json, response: Json) -> list[tuple[str, bool, Json]]:
    body = response.get("content", {}).get("application/json")
    return list(members(api, body["schema"]["$ref"].rpartition("/")[2])) if body else []


def _page(template: str, **content: object) -> Response:
    # Links are relative, because a proxy may serve the pages under another path.
    top = "/".join([".."] * (request.path.count("/") - _LEVELS_OF_A_PAGE)) or "."
    response = Response(render_template(template, top=top, **content), mimetype="text/html")
    response.headers["Cache-Control"] = _MAY_BE_KEPT
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
