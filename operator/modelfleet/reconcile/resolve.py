"""What a spec leaves to Azure Machine Learning to tell: answered from the status, or asked in the background.

What was told once is recorded in the status and good for as long as the spec asks for the same, so that what runs
depends on Azure for nothing but a newer version.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import Any

from modelfleet.aml.answers import Answer
from modelfleet.aml.azure import Asker, Azure
from modelfleet.core.api import Environment, Model, ModelDeployment, Workspace
from modelfleet.core.children import principal_of, signed_before
from modelfleet.core.diagnosis import Cause, is_told
from modelfleet.core.errors import Invalid, Terminal
from modelfleet.core.observed import Observed
from modelfleet.core.registered import (
    Principal,
    Resolution,
    Resolved,
    Signed,
    recorded,
    recorded_image,
    refusal_of,
)
from modelfleet.core.verdict import pods_of

logger = logging.getLogger(__name__)

CHANGED = frozenset({"ModelChanged", "ModelNotFound"})
"""What a fetcher reports where the files are not those that were resolved."""


def resolve(azure: Azure, owner: ModelDeployment, observed: Observed) -> Resolved:
    """Return the owner with everything filled in that Azure has told, and what it has not."""
    asking = _Asking(azure, owner, observed)
    models = tuple(asking.model(model) for model in owner.spec.models)
    image = asking.image(owner.spec.environment) if owner.spec.environment else owner.spec.image
    spec = replace(owner.spec, models=models, image=image)
    return Resolved(
        replace(owner, spec=spec),
        asking.resolutions,
        asking.signed,
        problem=next(iter(asking.problems), None),
        trouble=next(iter(asking.troubles), None),
        again_s=min(asking.again, default=None),
    )


@dataclass
class _Asking:
    """The questions of one reconcile, and what came of them."""

    azure: Azure
    owner: ModelDeployment
    observed: Observed
    resolutions: dict[str, Resolution] = field(default_factory=dict)
    signed: dict[str, Signed] = field(default_factory=dict)
    problems: list[Cause] = field(default_factory=list)
    troubles: list[Cause] = field(default_factory=list)
    again: list[float] = field(default_factory=list)

    @property
    def asker(self) -> Asker:
        return self.owner.namespace, self.owner.name

    def model(self, model: Model) -> Model:
        """Return the model as it is to be served, or as it was where that is not known."""
        if not (workspace := model.workspace):
            return model
        principal = principal_of(workspace, self.observed)
        before = recorded(self.owner.status, model)
        resolution = self._resolution(model, workspace, principal, before)
        if resolution and model.is_signed:
            resolution = self._with_address(model, workspace, principal, resolution, before)
        if not resolution:
            return model
        self.resolutions[model.name] = resolution
        return resolution.of(model)

    def image(self, environment: Environment) -> str:
        """Return the image of the environment, or nothing where it is not known."""
        if before := recorded_image(self.owner.status, environment):
            return before
        principal = principal_of(environment.workspace, self.observed)
        answer = self.azure.image(self.asker, environment, principal)
        return str(self._heard(answer, f"the environment {environment.name}", None) or "")

    def _resolution(
        self, model: Model, workspace: Workspace, principal: Principal | None, before: Resolution | None
    ) -> Resolution | None:
        version: str | None = model.version
        if model.follows_latest:
            latest = self.azure.latest(self.asker, workspace, principal, model.name)
            version = self._heard(latest, f"the newest version of {model.name}", before and before.version)
        if not version:
            return None
        same = before if before and before.source == workspace.source_of(model.name, version) else None
        refusal = refusal_of(same, model.file) if same else None
        if same and not refusal and not self._has_changed():
            return same
        answer = self.azure.model(self.asker, workspace, principal, model, version)
        found: Resolution | None = self._heard(
            _judged(answer, refusal) if refusal else answer,
            f"{model.name} version {version}",
            _servable(before if model.follows_latest else same, model),
        )
        return found.since(same) if found and same else found

    def _with_address(
        self,
        model: Model,
        workspace: Workspace,
        principal: Principal | None,
        found: Resolution,
        before: Resolution | None,
    ) -> Resolution | None:
        """Return ``found`` once it has a signed address, or else what the pods have one for that may be served."""
        allowed = (found, _servable(before, model)) if model.follows_latest else (found,)
        held = (one for one in allowed if one and signed_before(one, model, self.owner, self.observed))
        answer = self.azure.signed(self.asker, workspace, principal, model.name, found.version)
        heard = self._heard(answer, f"an address of {model.name} version {found.version}", next(held, None))
        if isinstance(heard, Signed):
            return self._signed(model, found, heard)
        if heard and heard is not found:
            return self._renewed(model, workspace, principal, heard)
        kept: Resolution | None = heard
        return kept

    def _renewed(
        self, model: Model, workspace: Workspace, principal: Principal | None, kept: Resolution
    ) -> Resolution:
        """Keep the address of the version that goes on serving from growing old."""
        answer = self.azure.signed(self.asker, workspace, principal, model.name, kept.version)
        return self._signed(model, kept, answer.value) if answer.value else kept

    def _signed(self, model: Model, found: Resolution, signed: Signed) -> Resolution:
        """Take the address for the pods, and return what they find there."""
        self.signed[model.name] = signed
        there = found.at(signed)
        if there is not found:
            logger.warning("%s: a replica has files of the same names and sizes with other MD5s", found.source)
        return there

    def _heard(self, answer: Answer[Any], subject: str, otherwise: Any) -> Any:
        """Return the value of an answer, or ``otherwise``; why it is not the value is noted."""
        if answer.again_s is not None:
            self.again.append(answer.again_s)
        cause = _cause(answer, subject)
        value = answer.value or otherwise
        if cause and value is None:
            self.problems.append(cause)
        elif cause and answer.error:
            self.troubles.append(cause)
        return value

    def _has_changed(self) -> bool:
        """Return whether a pod has found other files than those that were resolved."""
        return is_told(pods_of(self.owner.status.get("revision", ""), self.observed), CHANGED)


def _servable(found: Resolution | None, model: Model) -> Resolution | None:
    """Return what was found, unless its record tells that it has not the file that is wanted now."""
    return found if found and not refusal_of(found, model.file) else None


def _judged(answer: Answer[Any], refusal: Invalid) -> Answer[Any]:
    """Return the answer about a version that its record forbids to serve, unless Azure knows better by now."""
    is_newer = answer.value is not None or isinstance(answer.error, Invalid)
    return answer if is_newer else replace(answer, error=refusal)


def _cause(answer: Answer[Any], subject: str) -> Cause | None:
    if answer.error:
        return Cause(answer.error.reason, str(answer.error), stalled=isinstance(answer.error, Terminal))
    if answer.value is None:
        return Cause("Resolving", f"Asking Azure Machine Learning for {subject}.")
    return None
