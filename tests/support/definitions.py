"""Definitions of resources that an API server has been given."""

import json

from tests.support.eventually import eventually
from tests.support.kubectl import Kubectl


def established(kubectl: Kubectl, name: str) -> None:
    """Return once resources of that definition can be made.

    `kubectl wait` fails at once where a definition has no conditions at all yet, as in its first moments.
    """

    def is_established() -> bool:
        status = json.loads(kubectl("get", "customresourcedefinition", name, "-o", "json")).get("status", {})
        held = {condition["type"] for condition in status.get("conditions", []) if condition["status"] == "True"}
        return "Established" in held

    eventually(is_established)
