"""What everybody may ask, also where callers have to prove who they are.

Probes and scrapers of the cluster carry no keys, and learn nothing from these paths but how the server is. The
page under /docs is the same for every server, and asks for the key itself. A browser asks with OPTIONS, without
credentials, whether a page may send a request with them.
"""

from __future__ import annotations

import re

PROBED = {"/", "/healthcheck", "/metrics", "/v2/health/live", "/v2/health/ready"}
PAGE = {"/docs", "/docs/page.css", "/docs/page.js"}
OPEN = PROBED | PAGE
MODEL_READY = re.compile(r"/v2/models/[^/]+(/versions/[^/]+)?/ready")


def is_open(method: str, target: str) -> bool:
    """Whether everybody may ask this. What is not recognised is not open."""
    path = target.partition("?")[0]
    if method in ("GET", "HEAD"):
        return path in OPEN or MODEL_READY.fullmatch(path) is not None
    return method == "OPTIONS"
