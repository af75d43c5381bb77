"""run() that gets the whole request, and answers as its query says."""
# mypy: ignore-errors

import numpy as np
from azureml.contrib.services.aml_request import AMLRequest, rawhttp
from azureml_inference_server_http.api.aml_response import AMLResponse
from flask import Response, abort, jsonify
from flask import request as flask_request


def init():
    """Has nothing to do."""


def seen(request):
    """Much of what a handler may look at."""
    return {
        "is": isinstance(request, AMLRequest),
        "method": request.method,
        "path": request.path,
        "full_path": request.full_path,
        "url": request.url,
        "host": request.host,
        "content_type": request.content_type,
        "content_length": request.content_length,
        "is_json": request.is_json,
        "args": request.args.to_dict(flat=False),
        "headers": list(request.headers.items()),
        "data": request.get_data().decode("latin-1"),
        "form": request.form.to_dict(),
        "files": {name: [file.filename, file.read().decode()] for name, file in request.files.items()},
        "cookies": request.cookies,
    }


def with_cookies():
    """A response with the same header twice."""
    response = AMLResponse("x", 200)
    response.headers.add("Set-Cookie", "a=1")
    response.headers.add("Set-Cookie", "b=2")
    return response


HEADERS = {"Content-Type": "text/csv", "X-Own": "1", "x-ms-run-function-failed": "maybe", "x-ms-request-id": "own"}
ANSWERS = {
    "seen": seen,
    "get_json": lambda request: request.get_json(),
    "context": lambda _: flask_request.method,
    "text": lambda _: AMLResponse("café", 200),
    "bytes": lambda _: AMLResponse(b"\x00\xff", 200),
    "echo": lambda request: AMLResponse(request.get_data(), 201),
    "json": lambda _: AMLResponse({"a": [1, None, "ü"]}, 202, json_str=True),
    "dict": lambda _: AMLResponse({"a": 1}, 200),
    "no_json": lambda _: AMLResponse(np.array([1]), 200, json_str=True),
    "headers": lambda _: AMLResponse("x", 200, HEADERS),
    "cookies": lambda _: with_cookies(),
    "failed": lambda _: AMLResponse("bad", 418, {}, False, True),
    "500": lambda _: AMLResponse("bad", 500),
    "204": lambda _: AMLResponse("", 204),
    "flask": lambda _: Response("flask", 203, {"X-Own": "1"}, mimetype="text/x-own"),
    "jsonify": lambda _: jsonify({"b": 1, "a": 2}),
    "stream": lambda _: Response((str(i) for i in range(3)), 200),
    "returned_str": lambda _: "s",
    "returned_bytes": lambda _: b"s",
    "returned_none": lambda _: None,
    "abort": lambda _: abort(403, "no"),
}
UNSENDABLE = AMLResponse(5, 200)


@rawhttp
def run(request):
    """What `w` in the query asks for."""
    asked = request.args["w"]
    return ANSWERS[asked](request) if asked in ANSWERS else UNSENDABLE
