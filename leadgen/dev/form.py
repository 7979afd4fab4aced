"""The form page at `/`, in the dev profile only: send a submission by hand and watch it become a lead."""

from typing import Final
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, render_template, request

from leadgen.api.schemas import CONTACT_METHODS, TIMELINE_MODES
from leadgen.config import Config
from leadgen.dev.place import KEY_FILE
from leadgen.dev.screen import EXAMPLE
from leadgen.domain.service_types import OFFERED
from leadgen.domain.us_states import NAMES

_POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def form_blueprint(config: Config) -> Blueprint:
    """Create the page, its style and its script; it contains the key from the file beside the keys file."""
    blueprint = Blueprint(
        "form", __name__, template_folder="templates", static_folder="static", static_url_path="/form"
    )
    ours = {"localhost", "127.0.0.1", config.bind.rpartition(":")[0]}
    key_file = config.api_keys_file.with_name(KEY_FILE)

    @blueprint.before_request
    def refuse_other_names() -> None:
        # Otherwise a web page whose name resolves to this machine (DNS rebinding) could read the key.
        if urlsplit(f"//{request.host}").hostname not in ours:
            abort(404)

    @blueprint.get("/")
    def show_form() -> str:
        return render_template(
            "form.html",
            key=key_file.read_text(encoding="ascii").strip(),
            endpoint="/lead/intake",
            methods=CONTACT_METHODS,
            services=OFFERED,
            timelines=TIMELINE_MODES,
            states=sorted(NAMES),
            served=config.service_area_states,
            example=EXAMPLE,
        )

    @blueprint.after_request
    def add_policy(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _POLICY
        return response

    return blueprint
