"""run() without decorators: it gets the body as text, which says what to return or raise."""
# mypy: ignore-errors

import builtins
import datetime
import decimal
import enum
import json
import time

import numpy as np


class Odd:
    """Nothing that JSON knows."""


class Level(enum.IntEnum):
    """A number by another name."""

    HIGH = 2


def endless():
    """A list that holds itself."""
    found = []
    found.append(found)
    return found


VALUES = {
    "dict": {"a": 1, "b": [1.5, None, True], "z": {"k": "ü ☃ 😀"}},
    "list": [1, 2, "x"],
    "tuple": (1, (2, 3)),
    "str": "text ü",
    "str_of_json": '{"a": 1}',
    "empty_str": "",
    "control_characters": "\x00\x1f\x7f\u2028\ud800",
    "html": "</script>&'",
    "none": None,
    "int": 3,
    "large_int": 2**70,
    "float": 0.1,
    "bool": True,
    "nan": float("nan"),
    "infinities": [float("inf"), -float("inf")],
    "keys": {1: 2, None: 3, 1.5: 4, False: 5},
    "order": {"b": 1, "a": 2},
    "int_enum": Level.HIGH,
    "numpy_float64": np.float64(0.1),
    "numpy_float32": np.float32(0.1),
    "numpy_int64": np.int64(3),
    "numpy_bool": np.bool_(True),
    "numpy_array": np.array([1, 2]),
    "numpy_within": {"a": np.array([[1.5]])},
    "bytes": b"raw",
    "bytes_within": {"a": b"raw"},
    "set": {1},
    "generator": (i for i in range(2)),
    "object": Odd(),
    "datetime": {"d": datetime.datetime(2020, 1, 2, 3, 4, 5, 6)},
    "decimal": decimal.Decimal("1.5"),
    "complex": 1j,
    "key_of_tuple": {(1, 2): 1},
    "circle": endless(),
}


def init():
    """Has nothing to do."""


def run(raw):
    """What the text asks for; else the text itself."""
    try:
        asked = json.loads(raw)
    except ValueError:
        return {"type": type(raw).__name__, "raw": raw}
    if not isinstance(asked, dict):
        return {"read": asked}
    if "return" in asked:
        return VALUES[asked["return"]]
    if "raise" in asked:
        raise getattr(builtins, asked["raise"])("as it was told")
    if "sleep" in asked:
        time.sleep(asked["sleep"])
    return {"read": asked}
