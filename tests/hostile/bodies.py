"""Bodies built by hand, so that their parts need not fit together: JSON, protobuf, and compressed ones."""

from __future__ import annotations

import zlib

MIB = 1024 * 1024
GZIP, ZLIB = 31, 15  # zlib's window bits for each format


def tensor(data: str, shape: str = "[1]", datatype: str = "FP32") -> bytes:
    """An inference request in JSON with exactly this text for its data and its shape."""
    return f'{{"inputs":[{{"name":"x","shape":{shape},"datatype":"{datatype}","data":{data}}}]}}'.encode()


def inference(
    raw: bytes | None, shape: tuple[int, ...] = (2,), datatype: bytes = b"FP32", name: bytes = b"echo"
) -> bytes:
    """An inference request in protobuf."""
    sizes = b"".join(_varint(size % 2**64) for size in shape)
    described = field(5, field(1, b"x") + field(2, datatype) + field(3, sizes))
    return field(1, name) + described + (b"" if raw is None else field(7, raw))


def field(number: int, data: bytes) -> bytes:
    """A field of protobuf that holds bytes, text or a message."""
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = []
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def bomb(size: int, window_bits: int, filling: bytes = b"\0") -> bytes:
    """A stream that becomes `size` bytes: one compressed megabyte, over and over, since each stands for itself."""
    packer = zlib.compressobj(9, wbits=window_bits)
    first = packer.compress(filling * MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(filling * MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + again * (size // MIB - 1)
