"""The models of one server, by name and version, and the state that each is in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from modelserver.errors import BadRequest, ModelNotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modelserver.models.model import Model


class State(StrEnum):
    """Of a model that the server knows of, in Triton's words."""

    LOADING = "LOADING"
    READY = "READY"
    UNAVAILABLE = "UNAVAILABLE"


# Where the model is remembered that needs no name; no model has an empty one.
ONLY = ("", None)
# Of many models a sentence names the first.
LISTED = 10


@dataclass(slots=True)
class Entry:
    """A model that the server knows of; `reason` says why it is unavailable."""

    name: str
    version: str
    state: State = State.LOADING
    reason: str = ""
    model: Model | None = None


class Models:
    """The models that the server knows of. `expected` are those without which it is not ready.

    Versions have no order of their own: a request that names none gets the last of those that are loaded.
    """

    def __init__(self, expected: Iterable[tuple[str, str]]) -> None:
        self._entries: dict[str, dict[str, Entry]] = {}
        for name, version in expected:
            self._entry(name, version)
        self._expected = {(entry.name, entry.version) for entry in self.entries()}
        self._found: dict[tuple[str, str | None], Model] = {}

    def __iter__(self) -> Iterator[Model]:
        """The loaded models."""
        return (entry.model for entry in self.entries() if entry.model)

    def entries(self) -> Iterator[Entry]:
        """All that is known, the versions of a model side by side."""
        return (entry for versions in self._entries.values() for entry in versions.values())

    @property
    def ready(self) -> bool:
        """Whether every expected model was loaded."""
        return not self._expected

    @property
    def are_several(self) -> bool:
        """Whether a request has to name the model that it means."""
        return len(self._entries) > 1

    def find(self, name: str, version: str | None = None) -> Model:
        """The model `name`; without `version` the last one that is loaded.

        Raises ModelNotFound, or Unavailable while it loads.
        """
        return self._found.get((name, version)) or self._search(name, version)

    def only(self) -> Model:
        """The model that a request means which names none. Raises BadRequest when there are several."""
        return self._found.get(ONLY) or self._search_only()

    def versions(self, name: str) -> list[str]:
        """The versions of `name` that are loaded. Raises ModelNotFound when nothing is known of it."""
        return [entry.version for entry in self._known(name).values() if entry.model]

    # Changes

    def loading(self, name: str, version: str) -> None:
        """Says that a version is on its way; one that is served already stays so meanwhile."""
        entry = self._entry(name, version)
        if not entry.model:
            entry.state, entry.reason = State.LOADING, ""
        self._found.clear()

    def add(self, model: Model) -> Model | None:
        """Serves `model` from now on, as the last version if it is new. Returns what it takes the place of."""
        entry = self._entry(model.name, model.version)
        replaced, entry.model = entry.model, model
        entry.state, entry.reason = State.READY, ""
        self._expected.discard((model.name, model.version))
        self._found.clear()
        return replaced

    def remove(self, name: str, version: str, reason: str) -> Model | None:
        """Serves a version no longer, for this reason. Returns what was served."""
        entry = self._entry(name, version)
        removed, entry.model = entry.model, None
        entry.state, entry.reason = State.UNAVAILABLE, reason
        self._found.clear()
        return removed

    def arrange(self, name: str, versions: Iterable[str], reason: str) -> None:
        """Puts the versions of a model into this order, behind any others. Those that nobody knew of until now are
        unavailable for this reason.
        """
        known = self._entries.setdefault(name, {})
        for version in versions:
            known[version] = known.pop(version, Entry(name, version, State.UNAVAILABLE, reason))
        self._found.clear()

    # Searching

    def _entry(self, name: str, version: str) -> Entry:
        return self._entries.setdefault(name, {}).setdefault(version, Entry(name, version))

    def _known(self, name: str) -> dict[str, Entry]:
        if name not in self._entries:
            raise ModelNotFound(f"there is no model '{name}' here; there is {_quoted(self._names())}")
        return self._entries[name]

    def _search(self, name: str, version: str | None) -> Model:
        """As `find`, which remembers what this found: models change rarely, and every request asks."""
        candidates = [self._exactly(name, version)] if version is not None else list(self._known(name).values())
        for entry in reversed(candidates):
            if entry.model:
                self._found[name, version] = entry.model
                return entry.model
            if (name, entry.version) in self._expected:
                break  # an older version must not stand in for one that will be there in a moment
        if any(entry.state is State.LOADING for entry in candidates):
            raise Unavailable(f"the model '{name}' is still loading; try again in a moment")
        raise ModelNotFound(f"the model '{name}' is not loaded: {candidates[-1].reason}")

    def _search_only(self) -> Model:
        names = self._names()
        if len(names) > 1:
            raise BadRequest(f"say which model is meant with ?model_name=NAME; there is {_quoted(names)}")
        if not names:
            raise ModelNotFound("there is no model here")
        found = self._found[ONLY] = self.find(names[0])
        return found

    def _exactly(self, name: str, version: str) -> Entry:
        known = self._known(name)
        if version not in known:
            raise ModelNotFound(f"the model '{name}' has no version '{version}' here; it has {', '.join(known)}")
        return known[version]

    def _names(self) -> list[str]:
        """Those that can be asked for, now or in a moment."""
        served = (entry.name for entry in self.entries() if entry.state is not State.UNAVAILABLE)
        return list(dict.fromkeys(served))


def _quoted(names: list[str]) -> str:
    listed = ", ".join(f"'{name}'" for name in names[:LISTED]) or "none"
    return listed if len(names) <= LISTED else f"{listed} and {len(names) - LISTED} more"
