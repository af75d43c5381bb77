"""A pod gets exactly the files that a model consisted of when it was resolved, from wherever it really is."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.fetch.conftest import HOST, Fetcher
from tests.support.until import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.azurite import Azurite

CONTENT = b"weights" * 1000
MIB = 1024 * 1024
REGISTERED = "azureml://registries/shared/models/claims/versions/3"
SECRET = "planted-secret"


def listing(azurite: Azurite, path: str, *, with_etags: bool = True) -> str:
    """The option with the listing of what is at `path` now: below it if it ends in a slash, else the file."""
    folder = path[: path.rindex("/") + 1]
    blobs = azurite._service.get_container_client("models").list_blobs(name_starts_with=path)
    files = sorted((blob.name.removeprefix(folder), blob.size, blob.etag.strip('"')) for blob in blobs)
    text = "".join(f"{etag if with_etags else '-'} {size} {name}\n" for name, size, etag in files)
    return f"--listing={hashlib.sha256(text.encode()).hexdigest()}"


def put_model(azurite: Azurite, folder: str) -> str:
    """Uploads a model and returns its folder, as an address."""
    for name in ("B", "model.onnx", "weights/a b.bin"):
        azurite.put("models", f"{folder}/{name}", CONTENT)
    return f"{HOST}/models/{folder}/"


@pytest.mark.parametrize("with_etags", [True, False])
def test_a_folder_of_the_listing_is_fetched(fetcher: Fetcher, azurite: Azurite, with_etags: bool) -> None:
    uri = put_model(azurite, "listed")
    assert fetcher(uri, fetcher.key, listing(azurite, "listed/", with_etags=with_etags)).code == 0
    assert fetcher.files() == dict.fromkeys(("B", "model.onnx", "weights/a b.bin"), CONTENT)


def test_markers_of_folders_are_not_in_the_listing(fetcher: Fetcher, azurite: Azurite) -> None:
    uri = put_model(azurite, "marked-later")
    before = listing(azurite, "marked-later/")
    azurite.put("models", "marked-later/weights", b"", {"hdi_isfolder": "true"})
    assert fetcher(uri, fetcher.key, before).code == 0


@pytest.mark.parametrize("with_etags", [True, False])
def test_a_single_file_is_listed_by_its_name(fetcher: Fetcher, azurite: Azurite, with_etags: bool) -> None:
    azurite.put("models", "listed-file/model.onnx", CONTENT)
    wanted = listing(azurite, "listed-file/model.onnx", with_etags=with_etags)
    assert fetcher(f"{HOST}/models/listed-file/model.onnx", fetcher.key, wanted).code == 0
    assert fetcher.files() == {"model.onnx": CONTENT}


@pytest.mark.parametrize(
    "change",
    [
        lambda azurite: azurite.put("models", "pinned/model.onnx", CONTENT),
        lambda azurite: azurite.put("models", "pinned/added.bin", b"more"),
        lambda azurite: azurite.delete("models", "pinned/B"),
    ],
    ids=["overwritten", "added", "deleted"],
)
def test_files_that_were_changed_since_they_were_resolved_are_refused(
    fetcher: Fetcher, azurite: Azurite, change: Callable[[Azurite], None]
) -> None:
    uri = put_model(azurite, "pinned")
    resolved = listing(azurite, "pinned/")
    change(azurite)
    ended = fetcher(uri, fetcher.key, resolved)
    assert (ended.code, ended.reason) == (5, "ModelChanged")
    assert f"the files of {uri} are not those that were resolved" in ended.message
    assert not fetcher.to.exists()
    assert [path for _, path, _ in fetcher.proxy.requests if "comp=list" not in path] == []
    assert fetcher(uri, fetcher.key, listing(azurite, "pinned/")).code == 0


def test_a_replica_of_the_listing_without_etags_is_fetched(fetcher: Fetcher, azurite: Azurite) -> None:
    """What is uploaded again has the same names and sizes, and other ETags: as in another replica."""
    uri = put_model(azurite, "replica")
    resolved, with_etags = (listing(azurite, "replica/", with_etags=with_etags) for with_etags in (False, True))
    put_model(azurite, "replica")
    assert fetcher(uri, fetcher.key, with_etags).reason == "ModelChanged"
    assert fetcher(uri, fetcher.key, resolved).code == 0
    azurite.put("models", "replica/model.onnx", CONTENT + b"!")
    fetcher.to.rename(fetcher.folder / "gone")
    assert fetcher(uri, fetcher.key, resolved).reason == "ModelChanged"


def test_what_was_begun_is_dropped_when_it_goes_on_at_another_replica(fetcher: Fetcher, azurite: Azurite) -> None:
    """Nothing but the listing says that the other file is the same one, and that knows no content."""
    azurite.put("models", "moved/model.onnx", CONTENT * 3000)
    options = fetcher.key, listing(azurite, "moved/", with_etags=False)
    staged = fetcher.folder / ".model.fetch" / "files" / "model.onnx"
    fetcher.proxy.bytes_before_stall = 10 * MIB
    with fetcher.start(f"{HOST}/models/moved/", *options) as process:
        wait_until(lambda: staged.exists() and staged.stat().st_size > 0)
        process.kill()
    fetcher.proxy.bytes_before_stall = None
    fetcher.proxy.requests.clear()
    azurite.put("models", "moved/model.onnx", CONTENT * 3000)
    assert fetcher(f"{HOST}/models/moved/", *options).code == 0
    assert [span for _, path, span in fetcher.proxy.requests if "comp=list" not in path] == [None]
    assert fetcher.files() == {"model.onnx": CONTENT * 3000}


def test_what_is_there_for_another_listing_is_fetched_again(fetcher: Fetcher, azurite: Azurite) -> None:
    uri = put_model(azurite, "again")
    first = listing(azurite, "again/")
    assert fetcher(uri, fetcher.key, first).code == 0
    azurite.put("models", "again/model.onnx", b"new")
    fetcher.proxy.requests.clear()
    assert fetcher(uri, fetcher.key, first).code == 0
    assert fetcher.proxy.requests == []  # it is there, and storage is not asked
    assert fetcher(uri, fetcher.key, listing(azurite, "again/")).code == 0
    assert fetcher.files()["model.onnx"] == b"new"


def test_what_cannot_be_a_listing_is_a_mistake_in_the_arguments(fetcher: Fetcher) -> None:
    with fetcher.start(HOST, "--listing=latest") as process:
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "64 hexadecimal digits" in printed


def test_a_secret_says_where_a_registered_model_really_is(fetcher: Fetcher, azurite: Azurite) -> None:
    place = put_model(azurite, "registered")
    secret = fetcher.credentials(sasToken=azurite.sas("models") + "\n", uri=place + "\n")
    ended = fetcher(REGISTERED, secret, listing(azurite, "registered/", with_etags=False))
    assert ended.code == 0
    assert len(fetcher.files()) == 3
    assert {event["uri"] for event in ended.log if "uri" in event} == {REGISTERED}
    assert json.loads((fetcher.folder / ".model.fetch" / "manifest.json").read_text())["uri"] == REGISTERED
    assert "sig=" not in ended.printed


def test_a_registered_model_is_the_same_one_at_another_address(fetcher: Fetcher, azurite: Azurite) -> None:
    azurite.put("models", "replicas/a/model.onnx", CONTENT)
    wanted = listing(azurite, "replicas/a/", with_etags=False)
    options = REGISTERED, wanted, fetcher.credentials(sasToken=azurite.sas("models"))
    fetcher.credentials(uri=f"{HOST}/models/replicas/a/")
    assert fetcher(*options).code == 0
    fetcher.credentials(uri=f"{HOST}/models/replicas/b/")
    fetcher.proxy.requests.clear()
    assert fetcher(*options).code == 0
    assert fetcher.proxy.requests == []


def test_a_registered_model_is_called_by_its_name_when_it_is_not_there(fetcher: Fetcher, azurite: Azurite) -> None:
    place = f"{HOST}/models/not-there/"
    ended = fetcher(REGISTERED, fetcher.credentials(sasToken=azurite.sas("models"), uri=place))
    assert (ended.code, ended.reason) == (3, "ModelNotFound")
    assert REGISTERED in ended.message
    assert place not in ended.printed


def test_a_registered_model_without_an_address_is_refused(fetcher: Fetcher, azurite: Azurite) -> None:
    ended = fetcher(REGISTERED, fetcher.credentials(sasToken=azurite.sas("models")))
    assert (ended.code, ended.reason) == (3, "ModelNotFound")
    assert "must begin with https://" in ended.message


@pytest.mark.parametrize("uri", [f"{HOST}/models/claims/?sig={SECRET}", f"claims?sig={SECRET}", ""])
def test_an_address_in_the_secret_that_cannot_be_used_is_never_shown(
    fetcher: Fetcher, azurite: Azurite, uri: str
) -> None:
    ended = fetcher(REGISTERED, fetcher.credentials(sasToken=azurite.sas("models"), uri=uri))
    assert (ended.code, ended.reason) == (4, "CredentialsInvalid")
    assert "the file uri of the Secret must hold the address" in ended.message
    assert SECRET not in ended.printed


def test_a_name_of_a_model_that_carries_a_secret_is_never_shown(fetcher: Fetcher, azurite: Azurite) -> None:
    secret = fetcher.credentials(sasToken=azurite.sas("models"), uri=f"{HOST}/models/claims/")
    ended = fetcher(f"{REGISTERED}?sig={SECRET}", secret)
    assert (ended.code, ended.reason) == (4, "CredentialsInvalid")
    assert SECRET not in ended.printed
