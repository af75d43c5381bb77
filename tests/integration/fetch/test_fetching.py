"""Files and folders arrive as they are in storage, and are left alone when they are there already."""

from __future__ import annotations

import hashlib
import subprocess
from typing import TYPE_CHECKING

from tests.integration.fetch.conftest import HOST, Fetcher

if TYPE_CHECKING:
    from tests.support.azurite import Azurite

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_a_file_arrives_with_its_checksum(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "claims/1/model.onnx", CONTENT)
    ended = fetcher(f"{HOST}/models/claims/1/model.onnx", fetcher.key, f"--sha256={SHA256}")
    assert ended.code == 0
    assert ended.said | {"message": ""} == {
        "reason": "Fetched",
        "message": "",
        "sha256": SHA256,
        "bytes": len(CONTENT),
        "files": 1,
    }
    assert fetcher.files() == {"model.onnx": CONTENT}


def test_a_folder_arrives_with_its_subfolders(fetcher: Fetcher, azurite: Azurite) -> None:
    files = {"model.onnx": CONTENT, "weights/a b.bin": b"a", "weights/ü.bin": b"", "B": b"b"}
    for path, content in files.items():
        azurite.put("models", f"folder/1/{path}", content)
    azurite.put("models", "folder/10/model.onnx", b"not ours")
    ended = fetcher(f"{HOST}/models/folder/1/", fetcher.key)
    assert ended.code == 0
    assert fetcher.files() == files
    printed = subprocess.run(
        "find . -type f -printf '%P\\n' | LC_ALL=C sort | xargs -d '\\n' sha256sum | sha256sum",
        shell=True,
        cwd=fetcher.to,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert ended.said["sha256"] == printed.split()[0]
    assert fetcher(f"{HOST}/models/folder/1/", fetcher.key, f"--sha256={ended.said['sha256']}").code == 0


def test_a_folder_is_found_without_the_slash_and_despite_its_marker(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "marked", b"", {"hdi_isfolder": "true"})
    azurite.put("models", "marked/sub", b"", {"hdi_isfolder": "true"})
    azurite.put("models", "marked/sub/model.onnx", CONTENT)
    assert fetcher(f"{HOST}/models/marked", fetcher.key).code == 0
    assert fetcher.files() == {"sub/model.onnx": CONTENT}


def test_a_folder_with_one_file_has_the_checksum_of_a_folder(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "one/model.onnx", CONTENT)
    line = f"{SHA256}  model.onnx\n"
    assert fetcher(f"{HOST}/models/one/", fetcher.key).said["sha256"] == hashlib.sha256(line.encode()).hexdigest()


def test_names_that_need_encoding_are_decoded_from_the_uri(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "a b/mü.onnx", CONTENT)
    assert fetcher(f"{HOST}/models/a%20b/m%C3%BC.onnx", fetcher.key).code == 0
    assert fetcher.files() == {"mü.onnx": CONTENT}


def test_a_second_run_does_not_even_ask_storage(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "twice/model.onnx", CONTENT)
    first = fetcher(f"{HOST}/models/twice/", fetcher.key)
    fetcher.proxy.requests.clear()
    second = fetcher(f"{HOST}/models/twice/", fetcher.key)
    assert second.code == 0
    assert second.said == first.said
    assert fetcher.proxy.requests == []


def test_a_file_that_was_damaged_on_the_volume_is_fetched_again(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "damaged/model.onnx", CONTENT)
    fetcher(f"{HOST}/models/damaged/", fetcher.key)
    (fetcher.to / "model.onnx").write_bytes(CONTENT[:-1] + b"!")
    assert fetcher(f"{HOST}/models/damaged/", fetcher.key).code == 0
    assert fetcher.files() == {"model.onnx": CONTENT}


def test_another_model_replaces_the_one_that_was_there(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "first/old.onnx", CONTENT)
    azurite.put("models", "second/new.onnx", b"new")
    fetcher(f"{HOST}/models/first/", fetcher.key)
    assert fetcher(f"{HOST}/models/second/", fetcher.key).code == 0
    assert fetcher.files() == {"new.onnx": b"new"}


def test_a_web_server_gives_a_file(fetcher: Fetcher, azurite: Azurite) -> None:
    """Any host that is not named like Azure storage is a plain web server: here the public container is one."""
    azurite.put("public", "model.onnx", CONTENT)
    azurite_by_path = f"http://127.0.0.1:{azurite.port}/demo/public/model.onnx"
    fetcher.environment = {"no_proxy": "127.0.0.1"}
    assert fetcher(azurite_by_path).said["sha256"] == SHA256
    assert fetcher.files() == {"model.onnx": CONTENT}


def test_memory_does_not_grow_with_the_file(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "large/model.onnx", bytes(100_000_000))
    fetcher.wrapper = ("/usr/bin/env", "prlimit", "--data=80000000")  # bytes of heap and of private memory
    assert fetcher(f"{HOST}/models/large/", fetcher.key).code == 0
