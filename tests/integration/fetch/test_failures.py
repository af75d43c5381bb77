"""Every way to fail has its reason, and an attempt continues where the last one ended."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.fetch.conftest import HOST, Ended, Fetcher
from tests.support.until import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.azurite import Azurite

MIB = 1024 * 1024


def expect(ended: Ended, code: int, reason: str, *words: str) -> None:
    assert (ended.code, ended.reason) == (code, reason), ended.message
    assert ended.log[-1]["reason"] == reason
    for word in words:
        assert word in ended.message


@pytest.mark.parametrize("path", ["models/none/model.onnx", "models/none/", "no-such-container/x", "models/none"])
def test_what_is_not_there_is_not_found(fetcher: Fetcher, path: str) -> None:
    expect(fetcher(f"{HOST}/{path}", fetcher.key), 3, "ModelNotFound", f"{HOST}/{path}")


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("ftp://host/model.onnx", "https://"),
        ("model.onnx", "https://"),
        (HOST, "names no container"),
        ("https://host/folder/", "only Azure Blob storage"),
        ("https://host", "only Azure Blob storage"),
    ],
)
def test_a_uri_that_names_nothing_is_refused(fetcher: Fetcher, uri: str, sentence: str) -> None:
    expect(fetcher(uri), 3, "ModelNotFound", sentence)


def test_another_content_than_promised_is_a_mismatch_and_is_not_kept(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "mismatch/model.onnx", b"content")
    actual, expected = hashlib.sha256(b"content").hexdigest(), "0" * 64
    ended = fetcher(f"{HOST}/models/mismatch/model.onnx", fetcher.key, f"--sha256={expected}")
    expect(ended, 3, "ChecksumMismatch", actual, expected)
    assert not fetcher.to.exists()
    assert fetcher(f"{HOST}/models/mismatch/model.onnx", fetcher.key, f"--sha256={actual}").code == 0


def test_a_blob_that_is_overwritten_while_it_is_fetched_has_changed(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "changed/model.onnx", bytes(20 * MIB))
    fetcher.proxy.bytes_before_cut, fetcher.proxy.cuts = 8 * MIB, 1
    seen = 0

    def overwrite() -> None:
        nonlocal seen
        seen += 1
        if seen == 3:  # after HEAD and the first GET, which was cut
            azurite.put("models", "changed/model.onnx", b"new")

    fetcher.proxy.before_each = overwrite
    expect(fetcher(f"{HOST}/models/changed/model.onnx", fetcher.key), 5, "ModelChanged", "overwritten")
    assert not fetcher.to.exists()
    assert fetcher(f"{HOST}/models/changed/model.onnx", fetcher.key).code == 0
    assert fetcher.files() == {"model.onnx": b"new"}


def test_lost_connections_are_taken_up_where_they_ended(fetcher: Fetcher, azurite: Azurite) -> None:
    content = os.urandom(40 * MIB)
    azurite.put("models", "cut/model.onnx", content)
    fetcher.proxy.bytes_before_cut = 7 * MIB
    ended = fetcher(f"{HOST}/models/cut/model.onnx", fetcher.key)
    assert ended.code == 0
    assert fetcher.files() == {"model.onnx": content}
    assert ended.said["sha256"] == hashlib.sha256(content).hexdigest()
    ranges = [span for method, _, span in fetcher.proxy.requests if method == "GET"]
    assert ranges[0] is None
    assert len(ranges) > 5
    assert all(span and span.startswith("bytes=") for span in ranges[1:])


def test_after_being_killed_it_goes_on_with_what_it_has(fetcher: Fetcher, azurite: Azurite) -> None:
    content = {"a.bin": os.urandom(8 * MIB), "b.bin": os.urandom(40 * MIB)}
    for path, data in content.items():
        azurite.put("models", f"killed/{path}", data)
    staged = fetcher.folder / ".model.fetch" / "files" / "b.bin"
    fetcher.proxy.bytes_before_stall = 10 * MIB
    with fetcher.start(f"{HOST}/models/killed/", fetcher.key) as process:
        wait_until(lambda: staged.exists() and staged.stat().st_size >= 8 * MIB)
        process.kill()
    assert not fetcher.to.exists()
    have = staged.stat().st_size
    fetcher.proxy.bytes_before_stall = None
    fetcher.proxy.requests.clear()
    assert fetcher(f"{HOST}/models/killed/", fetcher.key).code == 0
    assert fetcher.files() == content
    gets = [
        (path, span)
        for method, path, span in fetcher.proxy.requests
        if method == "GET" and "comp=list" not in path
    ]
    assert [path for path, _ in gets] == ["/models/killed/b.bin"]  # a.bin was complete
    assert gets[0][1] is not None
    assert gets[0][1].startswith(f"bytes={have}-")


def test_what_was_begun_is_dropped_when_the_blob_is_another_one_now(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "begun/model.onnx", b"old" * 8 * MIB)
    staged = fetcher.folder / ".model.fetch" / "files" / "model.onnx"
    fetcher.proxy.bytes_before_stall = 10 * MIB
    with fetcher.start(f"{HOST}/models/begun/model.onnx", fetcher.key) as process:
        wait_until(lambda: staged.exists() and staged.stat().st_size > 0)
        process.kill()
    fetcher.proxy.bytes_before_stall = None
    azurite.put("models", "begun/model.onnx", b"new" * 8 * MIB)
    assert fetcher(f"{HOST}/models/begun/model.onnx", fetcher.key).code == 0
    assert fetcher.files() == {"model.onnx": b"new" * 8 * MIB}


def test_sigterm_ends_it_at_once(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "term/model.onnx", os.urandom(40 * MIB))
    fetcher.proxy.bytes_before_stall = 10 * MIB
    with fetcher.start(f"{HOST}/models/term/model.onnx", fetcher.key) as process:
        wait_until(lambda: len(fetcher.proxy.requests) >= 2)
        process.terminate()
        assert process.wait(5) == 128 + signal.SIGTERM


def test_an_error_of_storage_is_tried_again_and_then_shown(fetcher: Fetcher) -> None:
    fetcher.proxy.status = 503
    expect(fetcher(f"{HOST}/models/x", fetcher.key), 5, "StorageError", "answered 503")
    assert 3 < len(fetcher.proxy.requests) < 20


def test_storage_that_cannot_be_connected_to_is_unreachable(fetcher: Fetcher) -> None:
    fetcher.proxy.close()
    expect(
        fetcher(f"{HOST}/models/x", fetcher.key),
        5,
        "StorageUnreachable",
        "refuses connections",
        f"{HOST}/models/x",
    )


def test_a_host_that_does_not_exist_is_unreachable(fetcher: Fetcher) -> None:
    fetcher.environment = {"no_proxy": "*"}
    expect(fetcher("https://nobody.invalid/m.onnx"), 5, "StorageUnreachable", "name cannot be resolved")


def test_storage_that_falls_silent_is_unreachable(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "silent/model.onnx", bytes(20 * MIB))
    fetcher.proxy.bytes_before_stall = 10 * MIB
    ended = fetcher(f"{HOST}/models/silent/model.onnx", fetcher.key)
    expect(ended, 5, "StorageUnreachable", "does not answer in time")


def test_an_outage_that_is_over_soon_is_waited_out(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "outage/model.onnx", b"content")

    def recover() -> None:
        fetcher.proxy.status = 503 if len(fetcher.proxy.requests) < 4 else None

    fetcher.proxy.before_each = recover
    ended = fetcher(f"{HOST}/models/outage/model.onnx", fetcher.key)
    assert ended.code == 0
    assert any(event["message"].startswith("trying again: storage answered 503") for event in ended.log)


@contextmanager
def small_volume(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="only root can mount a small volume")
def test_a_volume_without_space_is_full(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "full/model.onnx", bytes(20 * MIB))
    with small_volume(fetcher.folder / "volume", "8m"):
        target = ["--to", str(fetcher.folder / "volume" / "model")]
        expect(fetcher(f"{HOST}/models/full/model.onnx", fetcher.key, *target), 6, "VolumeFull", "no space left")


def test_a_volume_that_cannot_be_written_is_an_error_with_its_cause(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "readonly/model.onnx", b"content")
    ended = fetcher(f"{HOST}/models/readonly/model.onnx", fetcher.key, "--to", "/proc/model")
    expect(ended, 5, "StorageError", "/proc/model", "cannot be used")
