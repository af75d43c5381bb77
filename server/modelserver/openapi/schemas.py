"""What requests and answers look like, as schemas of OpenAPI 3.0: those of a model, and those that all share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelserver.models.datatypes import Datatype
    from modelserver.models.model import Model
    from modelserver.models.signature import TensorSpec

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
SIZES: Json = {"type": "array", "items": {"type": "integer", "minimum": 0}}
# An example that is larger than this (an image) would hide the document, and nobody types it.
EXAMPLE_VALUES = 1000


def reference(name: str) -> Json:
    """Stands for the schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def an_object(properties: Json, *required: str) -> Json:
    """An object with these members; others may be there too."""
    return {"type": "object", "properties": properties, **({"required": list(required)} if required else {})}


def a_list(items: Json) -> Json:
    """A list of any length."""
    return {"type": "array", "items": items}


def _nested(name: str, *elements: Json) -> Json:
    """Values, in lists that are nested as their tensor's shape says, or in one flat list."""
    return {"anyOf": [*elements, a_list(reference(name))]}


TENSOR = an_object(
    {"name": TEXT, "datatype": TEXT, "shape": a_list({"type": "integer"})}, "name", "datatype", "shape"
)
STATES = {"type": "string", "enum": ["LOADING", "READY", "UNAVAILABLE"]}
DURATION = an_object({"count": {"type": "integer"}, "ns": {"type": "integer"}}, "count", "ns")

SHARED: Json = {
    "Error": {**an_object({"error": TEXT}, "error"), "description": "What is wrong, and what to do."},
    "Message": {**an_object({"message": TEXT}, "message"), "description": "What is wrong, and what to do."},
    "Parameters": {"type": "object", "nullable": True, "additionalProperties": True},
    "Floats": _nested("Floats", {"type": "number", "nullable": True}, {"type": "boolean"}),
    "Integers": _nested("Integers", {"type": "number", "multipleOf": 1}, {"type": "boolean"}),
    "Booleans": _nested("Booleans", {"type": "boolean"}, {"type": "number", "enum": [0, 1]}),
    "Texts": _nested("Texts", TEXT),
    "OutputChoice": an_object({"name": TEXT, "parameters": reference("Parameters")}, "name"),
    "Server": an_object(
        {"name": TEXT, "version": TEXT, "extensions": a_list(TEXT)}, "name", "version", "extensions"
    ),
    "Live": an_object({"live": {"type": "boolean"}}, "live"),
    "Ready": an_object({"ready": {"type": "boolean"}}, "ready"),
    "ModelReady": an_object({"name": TEXT, "ready": {"type": "boolean"}}, "name", "ready"),
    "Health": an_object({"status": TEXT, "models": a_list(an_object({"name": TEXT, "version": TEXT}))}, "status"),
    "Names": an_object({"models": a_list(TEXT)}, "models"),
    "Tensor": TENSOR,
    "Metadata": an_object(
        {
            "name": TEXT,
            "versions": a_list(TEXT),
            "platform": TEXT,
            "inputs": a_list(reference("Tensor")),
            "outputs": a_list(reference("Tensor")),
        },
        "name",
        "platform",
        "inputs",
        "outputs",
    ),
    "Configuration": an_object({"name": TEXT, "platform": TEXT, "backend": TEXT}, "name", "platform"),
    "Index": a_list(an_object({"name": TEXT, "version": TEXT, "state": STATES, "reason": TEXT}, "name", "state")),
    "IndexRequest": an_object({"ready": {"type": "boolean"}}),
    "ChangeRequest": an_object({"parameters": an_object({"unload_dependents": {}})}),
    "Statistics": an_object(
        {
            "model_stats": a_list(
                an_object(
                    {
                        "name": TEXT,
                        "version": TEXT,
                        "last_inference": {"type": "integer"},
                        "inference_count": {"type": "integer"},
                        "execution_count": {"type": "integer"},
                        "inference_stats": {"type": "object", "additionalProperties": DURATION},
                    },
                    "name",
                    "version",
                )
            )
        },
        "model_stats",
    ),
}


def infer_request(model: Model) -> Json:
    """The body of an inference request of the Open Inference Protocol."""
    inputs = model.signature.inputs
    tensors = [_input(spec) for spec in inputs]
    return an_object(
        {
            "id": {"type": "string", "nullable": True},
            "parameters": reference("Parameters"),
            "inputs": {
                "type": "array",
                "minItems": len(inputs),
                "maxItems": len(inputs),
                "items": tensors[0] if len(tensors) == 1 else {"anyOf": tensors},
            },
            "outputs": {**a_list(reference("OutputChoice")), "nullable": True},
        },
        "inputs",
    )


def infer_response(model: Model) -> Json:
    """What it is answered with, in JSON."""
    tensors = [_tensor(spec, _flat(spec.datatype)) for spec in model.signature.outputs]
    outputs = a_list({"anyOf": tensors} if tensors else {})
    properties = {"model_name": TEXT, "model_version": TEXT, "id": TEXT, "outputs": outputs}
    return an_object(properties, "model_name", "model_version", "outputs")


def infer_example(model: Model) -> Json | None:
    """A request that the model takes, unless it is too large to be looked at."""
    if _values(model) > EXAMPLE_VALUES:
        return None
    samples = [(spec, spec.sample()) for spec in model.signature.inputs]
    return {
        "inputs": [
            {
                "name": spec.name,
                "datatype": spec.datatype.name,
                "shape": list(sample.shape),
                "data": sample.ravel(),
            }
            for spec, sample in samples
        ]
    }


def score_example(model: Model) -> Json | None:
    """A body for `/score` that the model takes, unless it is too large to be looked at."""
    if _values(model) > EXAMPLE_VALUES:
        return None
    columns = {spec.name: spec.sample() for spec in model.signature.inputs}
    return {"data": columns if len(columns) > 1 else columns.popitem()[1]}


def _values(model: Model) -> int:
    return sum(spec.sample().size for spec in model.signature.inputs)


def _input(spec: TensorSpec) -> Json:
    return _tensor(spec, reference(_kind(spec.datatype)), parameters=reference("Parameters"))


def _tensor(spec: TensorSpec, data: Json, **more: Json) -> Json:
    """The axes that the model leaves free are -1 in the description: schemas of this version cannot say so."""
    rank = {} if spec.shape is None else {"minItems": len(spec.shape), "maxItems": len(spec.shape)}
    properties = {
        "name": {"type": "string", "enum": [spec.name]},
        "datatype": {"type": "string", "enum": [spec.datatype.name]},
        "shape": {**SIZES, **rank, "description": str(list(spec.shape or ()))},
        "data": data,
        **more,
    }
    return an_object(properties, "name", "datatype", "shape", "data")


def _kind(datatype: Datatype) -> str:
    kinds = {"O": "Texts", "f": "Floats", "b": "Booleans"}
    return kinds.get(datatype.dtype.kind, "Integers")


def _flat(datatype: Datatype) -> Json:
    elements: dict[str, Json] = {
        "Texts": TEXT,
        "Floats": {"type": "number", "nullable": True},
        "Booleans": {"type": "boolean"},
        "Integers": {"type": "integer"},
    }
    return a_list(elements[_kind(datatype)])
