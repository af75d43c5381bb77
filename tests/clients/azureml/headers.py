"""run() that also wants the request's headers."""
# mypy: ignore-errors


def init():
    """Has nothing to do."""


def run(raw_data, request_headers, more=5):
    """What it got."""
    return {"raw": raw_data, "headers": request_headers, "type": type(request_headers).__name__, "more": more}
