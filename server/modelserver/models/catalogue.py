"""The models that could be served: those that were named, and those that are in a folder now.

The folder is laid out as Triton does: DIR/NAME/VERSION/model.onnx, or DIR/NAME/model.onnx as the only version.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelserver.errors import ModelInvalid, ModelNotFound
from modelserver.models.files import top_level
from modelserver.settings.options import DEFAULT_VERSION, NAME, ModelSource

if TYPE_CHECKING:
    from pathlib import Path

IS_NAME = re.compile(NAME)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """`given` by name, and what is in `folder`; every call looks at what is there now."""

    given: tuple[ModelSource, ...]
    folder: Path | None

    def names(self) -> list[str]:
        """The names of all models. Raises ModelInvalid when the folder cannot be read."""
        given = [source.name for source in self.given]
        return list(dict.fromkeys([*sorted(path.name for path in self._folders()), *given]))

    def versions(self, name: str) -> list[ModelSource]:
        """The versions of a model: those in the folder, words before numbers and the largest number last, then
        those given by name. Raises ModelNotFound, or ModelInvalid where its folder holds none.
        """
        given = [source for source in self.given if source.name == name]
        in_folder = [source for path in self._folders() if path.name == name for source in _versions(path)]
        found = [*in_folder, *given]
        if not found:
            raise ModelNotFound(f"there is no model '{name}' in {self.folder or 'the arguments of the server'}")
        version, times = Counter(source.version for source in found).most_common(1)[0]
        if times > 1:
            raise ModelInvalid(f"{name}:{version} was given by name, and is in {self.folder} as well")
        return found

    def everything(self) -> list[ModelSource]:
        """All versions of all models. Raises ModelInvalid, also where there are none in the folder."""
        found = [source for name in self.names() for source in self.versions(name)]
        if not found and self.folder:
            raise ModelInvalid(
                f"{self.folder} holds no models; they should be {self.folder}/NAME/VERSION/model.onnx"
            )
        return found

    def _folders(self) -> list[Path]:
        try:
            return _named(self.folder) if self.folder else []
        except OSError as error:
            raise ModelInvalid(f"the folder of models {self.folder} cannot be read: {error.strerror}") from None


def _versions(folder: Path) -> list[ModelSource]:
    if top_level(folder):
        return [ModelSource(folder.name, DEFAULT_VERSION, folder)]
    found = [ModelSource(folder.name, path.name, path) for path in _named(folder) if top_level(path)]
    if not found:
        raise ModelInvalid(f"{folder} holds no model; it should be {folder}/{DEFAULT_VERSION}/model.onnx")
    return sorted(found, key=lambda source: _rank(source.version))


def _named(folder: Path) -> list[Path]:
    """The folders within that a model or version can be called like; volumes have others, like lost+found."""
    return [path for path in folder.iterdir() if path.is_dir() and IS_NAME.fullmatch(path.name)]


def _rank(version: str) -> tuple[int, str]:
    return (int(version), version) if version.isascii() and version.isdigit() else (-1, version)
