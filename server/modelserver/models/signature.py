"""What a model takes and gives: names, datatypes and shapes, and how sent data is made to fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from modelserver.errors import BadRequest

if TYPE_CHECKING:
    from modelserver.models.datatypes import Array, Datatype


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model; -1 in `shape` is free, `shape` None leaves even the rank free."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...] | None

    def __str__(self) -> str:
        return f"{self.name} ({self.datatype.name} {list(self.shape or ())})"

    def described(self) -> dict[str, object]:
        """The tensor as the Open Inference Protocol's metadata writes it."""
        return {"name": self.name, "datatype": self.datatype.name, "shape": list(self.shape or (-1,))}

    def sample(self) -> Array:
        """A smallest input: free dimensions are 1, numbers are 0, text is a word."""
        shape = tuple(1 if size < 0 else size for size in self.shape or ())
        return np.full(shape, "text" if self.datatype.is_text else 0, self.datatype.dtype)

    def check(self, array: Array) -> None:
        """Raises BadRequest unless the model can take an array of this shape."""
        if self.shape is None or _matches(array.shape, self.shape):
            return
        raise BadRequest(f"the input {self} got the shape {list(array.shape)}; -1 stands for any size")

    def fitted(self, array: Array) -> Array:
        """`array` with the axes that people leave out: a single row becomes a batch of one, and for a model that
        takes columns of one value each, a list of values becomes a column (or the other way round).
        """
        if self.shape is None:
            return array
        while array.ndim < len(self.shape):
            array = array[..., np.newaxis] if self.shape[-1] == 1 and array.ndim else array[np.newaxis]
        if array.ndim == len(self.shape) + 1 and array.shape[-1] == 1:
            array = array[..., 0]
        return array


def _matches(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(w in (-1, s) for s, w in zip(shape, wanted, strict=True))


@dataclass(frozen=True, slots=True)
class Signature:
    """All inputs and outputs of a model.

    `outputs` are those that the protocol has a datatype for; `all_outputs` also names sequences and maps
    (scikit-learn's ZipMap), which only `/score` can answer with.
    """

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    all_outputs: tuple[str, ...]

    def __str__(self) -> str:
        return ", ".join(str(spec) for spec in self.inputs)

    def input(self, name: str) -> TensorSpec:
        """The input called `name`. Raises BadRequest, naming those there are."""
        for spec in self.inputs:
            if spec.name == name:
                return spec
        raise BadRequest(f"the model has no input '{name}'; its inputs are {self}")

    def check_complete(self, names: set[str]) -> None:
        """Raises BadRequest when an input is missing from `names`."""
        missing = [str(spec) for spec in self.inputs if spec.name not in names]
        if missing:
            raise BadRequest(f"the request lacks the input {', '.join(missing)}")
