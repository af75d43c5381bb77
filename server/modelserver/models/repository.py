"""The models of one server, by name and version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelserver.errors import BadRequest, ModelNotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modelserver.models.model import Model


class Models:
    """The models that the server was told to serve; each is there once it was loaded and added."""

    def __init__(self, expected: Iterable[tuple[str, str]]) -> None:
        self._models: dict[tuple[str, str], Model | None] = dict.fromkeys(expected)

    def __iter__(self) -> Iterator[Model]:
        """The loaded models, in the order of the command line."""
        return (model for model in self._models.values() if model)

    @property
    def ready(self) -> bool:
        """Whether every model is there."""
        return all(self._models.values())

    def add(self, model: Model) -> None:
        """Serves `model` from now on."""
        self._models[model.name, model.version] = model

    def versions(self, name: str) -> list[str]:
        """The versions of `name`, in the order of the command line. Raises ModelNotFound."""
        found = [version for known, version in self._models if known == name]
        if not found:
            raise ModelNotFound(f"there is no model '{name}' here; there is {self._listed()}")
        return found

    def find(self, name: str, version: str | None = None) -> Model:
        """The model `name`; without `version` the one given last (versions are opaque: they have no order).

        Raises ModelNotFound, or Unavailable while it loads.
        """
        versions = self.versions(name)
        if version is not None and version not in versions:
            raise ModelNotFound(
                f"the model '{name}' has no version '{version}' here; it has {', '.join(versions)}"
            )
        model = self._models[name, version or versions[-1]]
        if model is None:
            raise Unavailable(f"the model '{name}' is still loading; try again in a moment")
        return model

    def only(self) -> Model:
        """The model that a request means which names none. Raises BadRequest when there are several."""
        names = {name for name, _ in self._models}
        if len(names) > 1:
            raise BadRequest(f"say which model is meant with ?model_name=NAME; there is {self._listed()}")
        return self.find(names.pop())

    def _listed(self) -> str:
        return ", ".join(f"'{name}'" for name in dict.fromkeys(name for name, _ in self._models))
