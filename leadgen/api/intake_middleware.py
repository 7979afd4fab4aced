"""POST /lead/intake, handled before Flask: a client waits for the commit of its lead and for little else.

Flask's work for any request takes longer than reading, checking and handing over a lead (docs/why.md). So leads
are accepted and refused here; any other error goes on to Flask, whose view raises it and whose handlers answer it.
"""

import logging
from collections.abc import Callable, Iterable
from http import HTTPStatus
from time import perf_counter
from typing import Final, TypeAlias

from leadgen.api import intake, metrics, problems
from leadgen.api.body import discard_rest
from leadgen.api.problems import Problem
from leadgen.api.services import Services
from leadgen.api.this_request import REFUSAL, Environ, Refusal, common_headers, key_id_of, request_id_of
from leadgen.log import event
from leadgen.store.intakes import Receipt

Application: TypeAlias = Callable[..., Iterable[bytes]]  # WSGI's

PATHS: Final = frozenset({"lead/intake", "lead/intake/"})  # after any number of slashes
ENDPOINT: Final = "intake.post_intake"  # the view's: metrics count both ways under it

_log: Final = logging.getLogger(__name__)


class IntakeMiddleware:
    def __init__(self, flask: Application, services: Services) -> None:
        self._flask = flask
        self._services = services

    def __call__(self, environ: Environ, start_response: Callable[..., object]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "POST" or environ["PATH_INFO"].lstrip("/") not in PATHS:
            return self._flask(environ, start_response)
        started, request_id = perf_counter(), request_id_of(environ)
        try:
            receipt = intake.accept(self._services, environ, request_id)
        except Problem as problem:
            return self._refuse(problem, environ, start_response, started, request_id)
        except Exception as error:  # noqa: BLE001 - Flask's handlers write the response for every kind
            environ[REFUSAL] = Refusal(error, started, request_id)
            return self._flask(environ, start_response)
        metrics.count(ENDPOINT, HTTPStatus.NO_CONTENT if receipt is None else 202, perf_counter() - started)
        if receipt is None:
            start_response("204 NO CONTENT", common_headers(request_id))
            return []
        start_response("202 ACCEPTED", self._headers(receipt, environ, request_id))
        return [receipt.answer.encode()]

    def _refuse(
        self,
        problem: Problem,
        environ: Environ,
        start_response: Callable[..., object],
        started: float,
        request_id: str,
    ) -> Iterable[bytes]:
        discard_rest(environ)
        status = HTTPStatus(problem.kind.status)
        body = problems.answer(problem, self._services.config.public_url, environ, request_id).encode()
        metrics.count(ENDPOINT, status, perf_counter() - started)
        headers = [
            ("Content-Type", problems.MEDIA_TYPE),
            ("Content-Length", str(len(body))),
            *problem.headers.items(),
            *common_headers(request_id),
        ]
        start_response(f"{status} {status.phrase.upper()}", headers)
        return [body]

    def _headers(self, receipt: Receipt, environ: Environ, request_id: str) -> list[tuple[str, str]]:
        intake_id = str(receipt.intake_id)
        headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(receipt.answer))),  # it is ASCII
            ("Location", f"{self._services.config.public_url}/intake/{intake_id}"),
            *common_headers(request_id),
        ]
        metrics.count_accepted(replayed=receipt.replayed)
        if receipt.replayed:
            event(_log, "replayed", intake_id=intake_id, request_id=request_id, key_id=key_id_of(environ))
            headers.append(("Idempotency-Replayed", "true"))
        return headers
