"""What a model takes and gives: names, datatypes and shapes, and how sent data is made to fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from modelserver.errors import BadRequest, Unsupported
from modelserver.models.datatypes import BY_NAME

MAX_RANK = 64  # numpy's

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from modelserver.models.datatypes import Array, Datatype


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input or output of a model; -1 in `shape` is free, `shape` None leaves even the rank free."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...] | None
    row: tuple[int, ...] | None = field(init=False)  # the shape of a row, where nothing but their number is free

    def __post_init__(self) -> None:
        free = [axis for axis, size in enumerate(self.shape or ()) if size < 0]
        object.__setattr__(self, "row", self.shape[1:] if self.shape and free == [0] else None)

    def __str__(self) -> str:
        return f"{self.name} ({self.datatype.name} {list(self.shape or ())})"

    def described(self) -> dict[str, object]:
        """The tensor as the Open Inference Protocol's metadata writes it."""
        return {"name": self.name, "datatype": self.datatype.name, "shape": list(self.shape or (-1,))}

    def sample(self) -> Array:
        """A smallest input: free dimensions are 1, numbers are 0, text is a word."""
        shape = tuple(1 if size < 0 else size for size in self.shape or ())
        return np.full(shape, "text" if self.datatype.is_text else 0, self.datatype.dtype)

    def check_datatype(self, found: object) -> None:
        """Raises BadRequest unless `found` is the name of the datatype that the model takes."""
        if found == self.datatype.name:
            return
        known = "is" if isinstance(found, str) and found in BY_NAME else "is no datatype of the protocol, but"
        sentence = f"the datatype {found!r:.100} of the input '{self.name}' {known} not what the model takes"
        raise BadRequest(f"{sentence}: {self.datatype.name}")

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raises BadRequest unless the model can take an array of this shape."""
        if shape[1:] == self.row and shape and shape[0] >= 0:
            return  # as for most models
        if not (_is_possible(shape) if self.shape is None else _matches(shape, self.shape)):
            raise BadRequest(f"the input {self} got the shape {list(shape)}; -1 stands for any size")

    def fitted(self, array: Array) -> Array:
        """`array` with the axes that people leave out: a single row becomes a batch of one, and for a model that
        takes columns of one value each, a list of values becomes a column (or the other way round). A list without
        elements is a batch of none. Raises BadRequest unless the model can take what comes of it.
        """
        if self.shape is None or (array.shape[1:] == self.row and array.ndim and array.size):
            return array
        if not array.size and array.ndim:
            array = array.reshape(array.shape + tuple(max(size, 0) for size in self.shape[array.ndim :]))
        while array.ndim < len(self.shape):
            array = array[..., np.newaxis] if self.shape[-1] == 1 and array.ndim else array[np.newaxis]
        if array.ndim == len(self.shape) + 1 and array.shape[-1] == 1:
            array = array[..., 0]
        self.check_shape(array.shape)
        return array

    def refused(self, error: BadRequest) -> BadRequest:
        """`error`, met in the data of this input, with the input's name."""
        return BadRequest(f"the input '{self.name}' is invalid: {error}")


def _matches(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    if len(shape) != len(wanted):
        return False
    return all(size >= 0 and limit in (size, -1) for size, limit in zip(shape, wanted, strict=True))


def _is_possible(shape: Sequence[int]) -> bool:
    return len(shape) <= MAX_RANK and all(size >= 0 for size in shape)


@dataclass(frozen=True)
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

    @cached_property
    def inputs_by_name(self) -> dict[str, TensorSpec]:
        """`inputs`, each by its name."""
        return {spec.name: spec for spec in self.inputs}

    @cached_property
    def outputs_by_name(self) -> dict[str, TensorSpec]:
        """`outputs`, each by its name."""
        return {spec.name: spec for spec in self.outputs}

    @cached_property
    def takes_numbers(self) -> bool:
        """Whether any input is not text."""
        return not all(spec.datatype.is_text for spec in self.inputs)

    @cached_property
    def gives_rows(self) -> bool:
        """Whether the first axes of all outputs may be the same rows: they are declared alike, or not at all."""
        return len({spec.shape[0] for spec in self.outputs if spec.shape}) <= 1

    def input(self, name: str) -> TensorSpec:
        """The input called `name`. Raises BadRequest, naming those there are."""
        spec = self.inputs_by_name.get(name)
        if spec is None:
            raise BadRequest(f"the model has no input '{name:.100}'; its inputs are {self}")
        return spec

    def check_complete(self, names: Collection[str]) -> None:
        """Raises BadRequest when an input is missing from `names`, all of which are inputs."""
        if len(names) == len(self.inputs):
            return
        missing = [str(spec) for spec in self.inputs if spec.name not in names]
        raise BadRequest(f"the request lacks the input {', '.join(missing)}")

    def wanted(self, names: Sequence[str]) -> tuple[TensorSpec, ...]:
        """The outputs `names` in that order; all tensors when none is named.

        Raises BadRequest for an unknown or repeated name, Unsupported where there is no tensor to answer with.
        """
        if not names:
            if not self.outputs:
                raise Unsupported("no output of the model is a tensor of the protocol's datatypes; ask /score")
            return self.outputs
        if len(set(names)) < len(names):
            raise BadRequest("an output is asked for twice")
        return tuple(map(self._output, names))

    def names(self, outputs: tuple[TensorSpec, ...]) -> tuple[str, ...]:
        """The names of `outputs`; the same object for the same outputs, where they are all tensors there are."""
        return self._names if outputs is self.outputs else tuple([spec.name for spec in outputs])

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.outputs_by_name)

    def _output(self, name: str) -> TensorSpec:
        if spec := self.outputs_by_name.get(name):
            return spec
        if name in self.all_outputs:
            raise Unsupported(
                f"the output '{name}' is not a tensor of the protocol's datatypes; ask /score for it"
            )
        raise BadRequest(
            f"the model has no output '{name:.100}'; its outputs are {', '.join(self.outputs_by_name)}"
        )
