"""What the operator asks Azure Machine Learning, answered without ever making it wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from modelfleet.aml import lookups
from modelfleet.aml.answers import Answer, Answers
from modelfleet.aml.clients import Clients
from modelfleet.core.api import Environment, Model, Workspace
from modelfleet.core.registered import Principal, Resolution, Signed

Asker = tuple[str, str]

RESOLVED_FRESH_S = 30.0
"""How long a resolution is good for others who ask the same; whoever has got one records it, and asks no more."""
SHORTEST_S = 5.0


class Azure:
    """``tell`` is called with the asker when there is news; the newest version is looked up every ``poll_s``.

    The same is asked once for all who have the same credential.
    """

    def __init__(self, tell: Callable[[Asker], None], poll_s: float) -> None:
        self._answers = Answers(tell)
        self._clients = Clients()
        self._poll_s = poll_s

    def latest(self, asker: Asker, workspace: Workspace, principal: Principal | None, name: str) -> Answer[str]:
        """Return the version of a model that was registered last."""

        def find() -> str:
            return lookups.latest_version(self._clients.of(workspace, principal), name)

        return self._answers.ask(("latest", workspace.id, principal, name), find, asker, lambda _: self._poll_s)

    def model(
        self, asker: Asker, workspace: Workspace, principal: Principal | None, model: Model, version: str
    ) -> Answer[Resolution]:
        """Return the files of a version of a model, and what pins them."""

        def find() -> Resolution:
            return lookups.resolve(self._clients.of(workspace, principal), model, version)

        question = ("model", workspace.source_of(model.name, version), principal, model.file)
        return self._answers.ask(question, find, asker, lambda _: RESOLVED_FRESH_S)

    def signed(
        self, asker: Asker, workspace: Workspace, principal: Principal | None, name: str, version: str
    ) -> Answer[Signed]:
        """Return an address that opens a registry's model; a new one when half of its life is over."""

        def find() -> Signed:
            return lookups.sign(self._clients.of(workspace, principal), name, version)

        question = ("signed", workspace.source_of(name, version), principal)
        return self._answers.ask(question, find, asker, _half_of_its_life)

    def image(self, asker: Asker, environment: Environment, principal: Principal | None) -> Answer[str]:
        """Return the image of an environment."""

        def find() -> str:
            return lookups.image_of(self._clients.of(environment.workspace, principal), environment)

        question: Any = ("image", environment.source, principal)
        return self._answers.ask(question, find, asker, lambda _: RESOLVED_FRESH_S)

    def close(self) -> None:
        """Ask no more."""
        self._answers.close()


def _half_of_its_life(signed: Signed) -> float:
    return max(SHORTEST_S, (signed.expires - time.time()) / 2)
