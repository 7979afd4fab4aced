"""The body: every bad input of the contract gets its own 4xx, and nothing unstorable gets through."""

import gzip
import io
import json

import pytest
from flask import Flask, Response, request
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from leadgen.api import body, problems
from leadgen.api.strict_json import MOST_LEVELS, NotStrictJson, parse_object
from leadgen.api.this_request import NamedRequest

JSON = "application/json"


@pytest.fixture
def client() -> FlaskClient:
    app = Flask("test")
    app.request_class = NamedRequest
    problems.register(app, "/lead")

    @app.post("/echo")
    def echo() -> dict[str, object]:
        return body.parse(request.environ)

    @app.after_request
    def discard(response: Response) -> Response:
        body.discard_rest(request.environ)
        return response

    return app.test_client()


def refused(response: TestResponse) -> tuple[int, str, str]:
    assert response.mimetype == "application/problem+json"
    problem = json.loads(response.data)
    return response.status_code, problem["type"].rpartition("/")[2], problem["detail"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"{", "line 1, column 2"),
        (b'{"a":1} {"b":2}', "line 1, column 9"),
        (b"{'a': 1}", "line 1, column 2"),
        (b"[]", "not an object"),
        (b'"text"', "not an object"),
        (b"null", "not an object"),
        (b'{"a":NaN}', "NaN or Infinity"),
        (b'{"a":Infinity}', "NaN or Infinity"),
        (b'{"a":-Infinity}', "NaN or Infinity"),
        (b'{"a":1e999}', "too large"),
        (b'{"a":-1e999}', "too large"),
        (b'{"a":9223372036854775808}', "64 bits"),
        (b'{"a":-9223372036854775808}', "64 bits"),
        (b'{"a":' + b"9" * 60_000 + b"}", "64 bits"),
        (b'{"a":1,"a":1}', "duplicate key"),
        (b'{"a":{"b":1,"c":2,"b":3}}', "duplicate key"),
        (b'{"a":1,"\\u0061":2}', "duplicate key"),
        (b'{"\\u0000":1,"\\ud800":2}', "duplicate key"),
        (b'{"a":"\0"}', "line 1, column 7"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8: byte 7"),
        (b'{"a":"\xff"}', "not UTF-8: byte 7"),
        (b'\xef\xbb\xbf\xef\xbb\xbf{"a":1}', "line 1, column 1"),
        ('{"a":1}'.encode("utf-16"), "not UTF-8: byte 1"),
        (b'{"a":' * 10_000, "nested more than 32 levels"),
        (b"[" * 65_000, "nested more than 32 levels"),
        (b'{"a":' + b"[" * MOST_LEVELS + b"]" * MOST_LEVELS + b"}", "nested more than 32 levels"),
    ],
)
def test_a_bad_body_is_a_400_that_says_what_is_wrong(client: FlaskClient, text: bytes, says: str) -> None:
    status, slug, detail = refused(client.post("/echo", data=text, content_type=JSON))
    assert (status, slug) == (400, "malformed-json")
    assert says in detail


@pytest.mark.parametrize(
    ("text", "document"),
    [
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b'{"a\\u0000":["x\\u0000y"]}', {"a\ufffd": ["x\ufffdy"]}),
        (b'{"a":"\\ud83d cut"}', {"a": "\ufffd cut"}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "\U0001f600"}),
    ],
)
def test_a_mark_at_the_start_is_skipped_and_what_cannot_be_stored_is_replaced(
    text: bytes, document: dict[str, object]
) -> None:
    assert parse_object(text) == document


def test_nesting_of_100_000_is_refused_without_a_recursion() -> None:
    with pytest.raises(NotStrictJson, match="nested more than 32 levels"):
        parse_object(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)


@pytest.mark.parametrize(
    "document",
    [
        {"a": "\U0001f600 ñ \\u0000 \x7f"},
        {"a": 2**63 - 1, "b": -(2**63) + 1, "c": 1.5e308, "d": True, "e": None},
        {"a": "{[" * 500 + '"' + "\\"},
        {"a": [[], {}, [{"b": []}]]},
    ],
)
def test_a_good_body_is_read_as_any_json_library_reads_it(client: FlaskClient, document: object) -> None:
    for ascii_only in (True, False):
        text = json.dumps(document, ensure_ascii=ascii_only)
        response = client.post("/echo", data=text, content_type=JSON)
        assert json.loads(response.data) == document


def test_brackets_in_strings_do_not_count_as_nesting() -> None:
    assert parse_object(b'{"a":"' + b"[" * 1_000 + b'\\""}') == {"a": "[" * 1_000 + '"'}


def test_as_many_levels_as_are_allowed_are_read() -> None:
    deepest = b'{"a":' + b"[" * (MOST_LEVELS - 1) + b"]" * (MOST_LEVELS - 1) + b"}"
    assert "a" in parse_object(deepest + b" " * 100)
    assert "a" in parse_object(b'{"b":' + json.dumps([[]] * 100).encode() + b',"a":1}')


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_read_or_refused_and_raise_nothing_else(text: bytes) -> None:
    try:
        document = parse_object(text)
    except NotStrictJson:
        return
    assert json.loads(text) == document


@pytest.mark.parametrize(
    "content_type", ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON"]
)
def test_json_may_be_declared_in_any_spelling(client: FlaskClient, content_type: str) -> None:
    assert client.post("/echo", data=b"{}", content_type=content_type).status_code == 200


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/json; charset=latin-1",
        "application/jsonx",
        "application/problem+json",
    ],
)
def test_any_other_content_type_is_a_415(client: FlaskClient, content_type: str | None) -> None:
    response = client.post("/echo", data=b"{}", content_type=content_type)
    assert refused(response)[:2] == (415, "unsupported-media-type")


def test_a_compressed_body_is_a_415(client: FlaskClient) -> None:
    response = client.post(
        "/echo", data=gzip.compress(b"{}"), content_type=JSON, headers={"Content-Encoding": "gzip"}
    )
    assert refused(response)[:2] == (415, "unsupported-media-type")
    plain = client.post("/echo", data=b"{}", content_type=JSON, headers={"Content-Encoding": "identity"})
    assert plain.status_code == 200


def padded(size: int) -> bytes:
    return b'{"a":"' + b"x" * (size - 8) + b'"}'


@pytest.mark.parametrize("chunked", [False, True])
def test_64_kib_are_read_and_one_byte_more_is_a_413(client: FlaskClient, *, chunked: bool) -> None:
    def post(text: bytes) -> TestResponse:
        if not chunked:
            return client.post("/echo", data=text, content_type=JSON)
        environ = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
        return client.post("/echo", input_stream=io.BytesIO(text), content_type=JSON, environ_overrides=environ)

    assert post(padded(body.MOST_BYTES)).status_code == 200
    assert refused(post(padded(body.MOST_BYTES + 1)))[:2] == (413, "body-too-large")


def test_a_body_that_ends_before_its_length_is_a_400(client: FlaskClient) -> None:
    response = client.post(
        "/echo",
        input_stream=io.BytesIO(b"{}"),
        content_type=JSON,
        environ_overrides={"CONTENT_LENGTH": "100", "wsgi.input_terminated": True},
    )
    assert refused(response)[:2] == (400, "bad-request")


class Broken(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        raise ConnectionResetError(size)


def test_a_body_that_breaks_off_is_a_400(client: FlaskClient) -> None:
    response = client.post(
        "/echo",
        input_stream=Broken(),
        content_type=JSON,
        environ_overrides={"CONTENT_LENGTH": "100", "wsgi.input_terminated": True},
    )
    assert refused(response)[:2] == (400, "bad-request")


@pytest.mark.parametrize("path", ["/echo", "/nowhere"])
def test_a_refused_body_of_10_mb_is_taken_off_the_wire_to_its_end(client: FlaskClient, path: str) -> None:
    stream = io.BytesIO(bytes(10_000_000))
    response = client.post(path, input_stream=stream, content_type=JSON, content_length=10_000_000)
    assert refused(response)[0] in {413, 404}
    assert stream.tell() == 10_000_000


def test_an_endless_body_is_not_read_forever(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "_DISCARD_MOST_BYTES", 1_000_000)
    stream = io.BytesIO(bytes(10_000_000))
    response = client.post("/nowhere", input_stream=stream, content_type=JSON, content_length=10_000_000)
    assert refused(response)[0] == 404
    assert stream.tell() < 1_200_000
