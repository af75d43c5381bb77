"""Reading Kubernetes objects as plain JSON data."""

import json
from collections.abc import Mapping
from typing import Any

Manifest = Mapping[str, Any]
"""One Kubernetes object (or a part of one) as parsed JSON."""


def dig(manifest: Manifest | None, *path: str) -> Any:
    """Return the value at the path, or None where any step is absent."""
    value: Any = manifest
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def canonical_json(value: Any) -> str:
    """Return JSON that is equal for equal data: sorted keys, no blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
