"""Where the files of a registered model are, which they are, and what pins them; the fetcher sees the same."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from obstore.store import MemoryStore

from modelfleet.core.api import Model, Workspace
from modelfleet.core.errors import Invalid, Unsupported
from modelfleet.core.observed import Observed
from modelfleet.core.registered import (
    Blob,
    BlobPath,
    DatastorePath,
    Principal,
    Resolution,
    Resolved,
    Signed,
    check_served,
    files_at,
    listing_of,
    path_of,
    recorded,
    uri_of,
)
from modelserver.errors import ModelInvalid
from modelserver.fetch import listing, location
from modelserver.fetch.credentials import Credentials
from modelserver.fetch.errors import FetchError, ModelNotFound
from modelserver.fetch.source import RemoteFile, Source
from modelserver.models.files import model_file
from tests.support.objects import owner

if TYPE_CHECKING:
    from obstore import ObjectMeta

HOME = Workspace("11111111", "rg-ml", "ml-prod", secret_name="workspace")
LAB = Workspace("22222222", "rg-lab", "ml-lab", secret_name="workspace")
IN_LAB = "azureml://subscriptions/22222222/resourcegroups/rg-lab/workspaces/ml-lab/datastores/ds/paths"
ACCOUNT = "https://demo.blob.core.windows.net"
SECRET = "sig=c2VjcmV0"
CLAIMS = Model("claims", version="3", workspace=HOME)
RESOLUTION = Resolution(HOME.source_of("claims", "3"), "3", f"{ACCOUNT}/models/claims/", "ab" * 32, 1000, 2)
LISTING = "listing"

LETTERS = st.characters(codec="utf-8", exclude_characters="\n")
SEGMENTS = st.text(LETTERS, min_size=1).filter(lambda text: "/" not in text and text not in (".", ".."))
PATHS = st.lists(SEGMENTS, min_size=1, max_size=4).map("/".join)
ETAGS = st.text("0123456789ABCDEFx", min_size=1)
FILES = st.lists(
    st.builds(Blob, PATHS, st.integers(0, 2**50), ETAGS), unique_by=lambda file: file.name, max_size=6
)
FEW_PATHS = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=3).map("/".join)
"""So few that they are often the beginning of each other."""


def blob(name: str, size: int = 1, etag: str = "0x8DC") -> Blob:
    return Blob(name, size, etag)


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("azureml://datastores/ds/paths/a/model.onnx", DatastorePath(HOME, "ds", "a/model.onnx")),
        ("AzureML://DataStores/ds/PATHS/a", DatastorePath(HOME, "ds", "a")),
        (f"{IN_LAB}/a/b", DatastorePath(LAB, "ds", "a/b")),
        (f"{IN_LAB}/a/b".replace("groups", "Groups"), DatastorePath(LAB, "ds", "a/b")),
        (f"{IN_LAB}/a/b".replace("subscriptions", "SUBSCRIPTIONS"), DatastorePath(LAB, "ds", "a/b")),
        (f"{IN_LAB}/a/b".replace("workspaces", "WorkSpaces"), DatastorePath(LAB, "ds", "a/b")),
        ("azureml://datastores/ds/paths/a/", DatastorePath(HOME, "ds", "a")),
        ("azureml://datastores/ds/paths//a//", DatastorePath(HOME, "ds", "a")),
        ("azureml://datastores/ds/paths/paths/a", DatastorePath(HOME, "ds", "paths/a")),
        ("azureml://datastores/ds/paths/a/paths/b", DatastorePath(HOME, "ds", "a/paths/b")),
        ("azureml://datastores/Upper/paths/Case/Stays", DatastorePath(HOME, "Upper", "Case/Stays")),
        ("azureml://datastores/ds/paths/a b/ü?#%20+", DatastorePath(HOME, "ds", "a b/ü?#%20+")),
        (f"{ACCOUNT}/models/claims/3", BlobPath(ACCOUNT, "models", "claims/3")),
        (f"{ACCOUNT}/models/claims/3/", BlobPath(ACCOUNT, "models", "claims/3")),
        (f"{ACCOUNT}/models/a%20b/%C3%BC%2520+", BlobPath(ACCOUNT, "models", "a b/ü%20+")),
        ("https://storage.example:10000/m/a.onnx", BlobPath("https://storage.example:10000", "m", "a.onnx")),
    ],
)  # fmt: skip
def test_every_form_in_which_azure_names_a_place_is_read(uri: str, place: DatastorePath | BlobPath) -> None:
    assert path_of(uri, HOME) == place


@given(SEGMENTS, PATHS)
def test_any_path_of_a_datastore_is_taken_as_it_is(datastore: str, path: str) -> None:
    short, full = f"azureml://datastores/{datastore}/paths/{path}", IN_LAB.replace("/ds/", f"/{datastore}/")
    assert path_of(short, HOME) == DatastorePath(HOME, datastore, path)
    assert path_of(f"{full}/{path}", HOME) == DatastorePath(LAB, datastore, path)


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "runs:/1/model",
        "wasbs://models@demo.blob.core.windows.net/claims",
        "abfss://models@demo.dfs.core.windows.net/claims",
        "http://demo.blob.core.windows.net/models/claims",
        f"{ACCOUNT}/models/claims",
        f"{ACCOUNT}/models/",
        f"{ACCOUNT}/",
        "azureml://jobs/1/outputs/artifacts/paths/model",
        "azureml://registries/shared/models/claims/versions/3",
        "azureml://locations/westeurope/workspaces/11111111/models/claims/versions/3",
        "azureml://datastores/ds/paths",
        "azureml://datastores//paths/a",
        "azureml://subscriptions/1/datastores/ds/paths/a",
    ],
)
def test_any_other_form_is_named_without_its_query_and_never_guessed(uri: str) -> None:
    with pytest.raises(Unsupported) as refusal:
        path_of(f"{uri}?{SECRET}", HOME)
    assert refusal.value.reason == "ModelUnsupported"
    assert f"its files are at {uri}, which" in refusal.value.message
    assert SECRET not in refusal.value.message


FOUND: dict[str, tuple[list[Blob], bool, list[str]]] = {
    "a file": ([blob("a/m")], False, ["m"]),
    "a file with siblings that begin alike": ([blob("a/m"), blob("a/m.bak"), blob("a/m2/x")], False, ["m"]),
    "a folder with such siblings": ([blob("a/m/x"), blob("a/m.bak"), blob("a/m-old/x")], True, ["x"]),
    "files of folders": ([blob("a/m/z"), blob("a/m/b/c"), blob("a/m/A")], True, ["A", "b/c", "z"]),
    "another order in UTF-16": ([blob("a/m/\U0001d11e"), blob("a/m/\uffee")], True, ["\uffee", "\U0001d11e"]),
    "a file beside a folder of that name": ([blob("a/m"), blob("a/m/x")], False, ["m"]),
    "the same below": ([blob("a/m/1"), blob("a/m/1/x")], True, ["1", "1/x"]),
    "the folder's own marker": ([blob("a/m", 0), blob("a/m/x")], True, ["x"]),
    "markers below": ([blob("a/m/1", 0), blob("a/m/1/x"), blob("a/m/2/", 0)], True, ["1/x"]),
    "only markers below": ([blob("a/m", 0), blob("a/m/1/", 0)], False, ["m"]),
    "an empty file that marks nothing": ([blob("a/m/e.txt", 0), blob("a/m/x")], True, ["e.txt", "x"]),
    "the path within the path": ([blob("a/m/a/m/x"), blob("m/x")], True, ["a/m/x"]),
}


@pytest.mark.parametrize(("blobs", "is_folder", "files"), FOUND.values(), ids=FOUND.keys())
def test_the_files_are_those_of_the_path_and_no_others(
    blobs: list[Blob], is_folder: bool, files: list[str]
) -> None:
    found = files_at("a/m", blobs)
    assert (found[0], [file.name for file in found[1]]) == (is_folder, files)
    assert files_at("a/m", iter(reversed(blobs))) == found


def test_the_marker_of_the_folder_itself_is_no_file_if_its_name_ends_in_a_slash() -> None:
    assert files_at("a/m", [blob("a/m/", 0), blob("a/m/x")]) == (True, (blob("x"),))


@pytest.mark.parametrize(
    "blobs", [[], [blob("a/m.bak"), blob("a/m2/x"), blob("a"), blob("m")], [blob("a/m/1/", 0), blob("a/m/2/", 0)]]
)
def test_a_path_without_files_is_refused_by_its_name(blobs: list[Blob]) -> None:
    with pytest.raises(Invalid, match="There are no files at a/m:") as refusal:
        files_at("a/m", blobs)
    assert refusal.value.reason == "ModelEmpty"


@given(FEW_PATHS, st.lists(st.builds(Blob, FEW_PATHS, st.integers(0, 1), ETAGS), unique_by=lambda file: file.name))
def test_nothing_outside_of_the_path_is_ever_taken(path: str, blobs: list[Blob]) -> None:
    try:
        is_folder, files = files_at(path, blobs)
    except Invalid:
        files, is_folder = (), False
        assert not any(file.name == path or (file.name.startswith(f"{path}/") and file.size) for file in blobs)
    if is_folder:
        assert {replace(file, name=f"{path}/{file.name}") for file in files} <= set(blobs)
    else:
        assert {replace(file, name=path) for file in files} <= set(blobs)
    assert files == tuple(sorted(files, key=lambda file: file.name.encode()))


class Stored(Source):
    """What the fetcher finds at an address, of files that are in memory."""

    def __init__(self, uri: str, store: MemoryStore) -> None:
        self._location, self._credentials = location.parse(uri), Credentials("no credential", {})
        self._store = store  # type: ignore[assignment]  # it does what is needed of one

    def _head(self) -> ObjectMeta:
        try:
            return super()._head()
        except FetchError:
            raise ModelNotFound("memory says so in other words than storage") from None


def bare(etag: str | None) -> str:
    return (etag or "").strip('"')


def found_by_fetcher(uri: str, store: MemoryStore) -> tuple[bool, list[tuple[str, int]], str] | None:
    try:
        found = Stored(uri, store).find()
    except ModelNotFound:
        return None
    return found.is_folder, [(file.path, file.size) for file in found.files], listing.listing_of(found.files)


@settings(deadline=None)  # obstore takes its time to begin
@given(FEW_PATHS, st.dictionaries(FEW_PATHS, st.sampled_from([b"", b"x", b"xyz"])))
def test_the_fetcher_finds_the_very_same_files_at_that_address(path: str, stored: dict[str, bytes]) -> None:
    store, place = MemoryStore(), BlobPath(ACCOUNT, "models", path)
    for name, content in stored.items():
        obstore.put(store, name, content)
    listed = [meta for page in obstore.list(store) for meta in page]
    try:
        is_folder, files = files_at(path, [Blob(m["path"], m["size"], bare(m["e_tag"])) for m in listed])
    except Invalid:
        assert found_by_fetcher(uri_of(place, is_folder=False), store) is None
        return
    expected = is_folder, [(file.name, file.size) for file in files], listing_of(files, has_replicas=False)
    assert found_by_fetcher(uri_of(place, is_folder=is_folder), store) == expected


def test_a_listing_is_the_sha256_of_a_line_for_each_file_sorted_by_the_bytes_of_the_name() -> None:
    model = [blob("\U0001d11e"), blob("\uffee", 2), blob("sub/a b.bin", 7, "0x8DD"), blob("model.onnx", 4096)]
    text = "0x8DC 4096 model.onnx\n0x8DD 7 sub/a b.bin\n0x8DC 2 \uffee\n0x8DC 1 \U0001d11e\n"
    assert listing_of(model, has_replicas=False) == hashlib.sha256(text.encode()).hexdigest()
    text = text.replace("0x8DC", "-").replace("0x8DD", "-")
    assert listing_of(model, has_replicas=True) == hashlib.sha256(text.encode()).hexdigest()


@given(FILES.flatmap(lambda files: st.tuples(st.just(files), st.permutations(files))), st.booleans())
def test_the_order_of_the_files_does_not_matter(both: tuple[list[Blob], list[Blob]], has_replicas: bool) -> None:
    files, shuffled = both
    assert listing_of(files, has_replicas=has_replicas) == listing_of(iter(shuffled), has_replicas=has_replicas)


def with_content(files: list[Blob]) -> set[Blob]:
    """Empty files may stand for folders, and do not count."""
    return {file for file in files if file.size}


@given(FILES, FILES)
def test_two_listings_are_equal_exactly_where_the_files_are(some: list[Blob], others: list[Blob]) -> None:
    same = listing_of(some, has_replicas=False) == listing_of(others, has_replicas=False)
    assert same == (with_content(some) == with_content(others))


@given(FILES.filter(lambda files: bool(files) and all(file.size for file in files)), st.data())
def test_any_change_of_one_file_changes_the_listing_and_an_etag_only_where_it_counts(
    files: list[Blob], data: st.DataObject
) -> None:
    before = {replicas: listing_of(files, has_replicas=replicas) for replicas in (False, True)}
    index, taken = data.draw(st.integers(0, len(files) - 1)), {file.name for file in files}
    file, others = files[index], files[:index] + files[index + 1 :]
    renamed = replace(file, name=data.draw(PATHS.filter(lambda name: name not in taken)))
    resized = replace(file, size=data.draw(st.integers(0).filter(lambda size: size != file.size)))
    for changed in ([*others, renamed], [*others, resized], others, [*files, renamed]):
        for replicas in (False, True):
            assert listing_of(changed, has_replicas=replicas) != before[replicas]
    overwritten = [*others, replace(file, etag=data.draw(ETAGS.filter(lambda etag: etag != file.etag)))]
    assert listing_of(overwritten, has_replicas=False) != before[False]
    assert listing_of(overwritten, has_replicas=True) == before[True]


@given(FILES)
def test_the_fetcher_computes_the_very_same(files: list[Blob]) -> None:
    remote = [RemoteFile(f"claims/{file.name}", file.name, file.size, f'"{file.etag}"') for file in files]
    assert listing.listing_of(remote) == listing_of(files, has_replicas=False)
    assert listing.listing_of(remote, with_etags=False) == listing_of(files, has_replicas=True)
    assert listing.is_listed(remote, listing_of(files, has_replicas=True))


SERVED: list[tuple[list[str], str, str]] = [
    (["model.ort"], "", ""),
    (["model.onnx", "model.onnx.data", "MLmodel"], "", ""),
    (["1/model.onnx", "config.pbtxt"], "", ""),
    (["model.onnx", "more/a.onnx", "more/b.onnx"], "", ""),
    (["a.onnx", "b.ort"], "", "ModelFileAmbiguous"),
    (["1/a.onnx", "2/b.onnx", "readme.md"], "", "ModelFileAmbiguous"),
    (["model.pkl"], "", "ModelFileMissing"),
    (["model.ONNX"], "", "ModelFileMissing"),
    ([], "", "ModelFileMissing"),
    (["a.onnx", "b.onnx"], "b.onnx", ""),
    (["a.onnx", "more/b.onnx"], "more/b.onnx", ""),
    (["a.onnx", "more/b.onnx"], "b.onnx", "ModelFileMissing"),
    (["a.onnx", "notes.txt"], "notes.txt", "ModelFileMissing"),
    (["model.pkl"], "model.onnx", "ModelFileMissing"),
]


def refusal_of(files: list[str], wanted: str) -> str:
    try:
        check_served(files, wanted)
    except Invalid as refusal:
        return refusal.reason
    return ""


@pytest.mark.parametrize(("files", "wanted", "reason"), SERVED)
def test_it_has_to_be_clear_which_file_is_the_model(files: list[str], wanted: str, reason: str) -> None:
    assert refusal_of(files, wanted) == reason


@pytest.mark.parametrize(("files", "reason"), [(files, reason) for files, wanted, reason in SERVED if not wanted])
def test_it_is_clear_to_the_server_as_well(files: list[str], reason: str, tmp_path: Path) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    try:
        model_file(tmp_path)
    except ModelInvalid:
        assert reason
    else:
        assert not reason


@pytest.mark.parametrize(
    ("files", "wanted", "says"),
    [
        (["a.onnx", "b/b.ort"], "c.onnx", "no file c.onnx; write one of these in model.file: a.onnx, b/b.ort."),
        (["model.pkl"], "", "it has no .onnx file at all, and only ONNX models can be served."),
        ([f"{n}.onnx" for n in range(5)], "", "in model.file: 0.onnx, 1.onnx, 2.onnx, 3.onnx, 4.onnx."),
        ([f"{n}.onnx" for n in range(6)], "", "in model.file: 0.onnx, 1.onnx, 2.onnx, 3.onnx, 4.onnx …."),
    ],
)
def test_a_refusal_says_what_there_is_to_choose_from(files: list[str], wanted: str, says: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_served(files, wanted)
    assert refusal.value.message.endswith(says)


def status(resolution: Resolution, **fields: Any) -> dict[str, Any]:
    entry = {"name": "claims", **resolution.status(), **fields}
    return {"models": [{"name": "other", "version": "9"}, json.loads(json.dumps(entry))]}


@given(st.integers(1), st.integers(1), st.text(), st.text(), st.booleans())
def test_what_is_recorded_comes_back(size: int, files: int, kind: str, stage: str, archived: bool) -> None:
    resolution = replace(RESOLUTION, sizeBytes=size, files=files, type=kind, stage=stage, archived=archived)
    assert recorded(status(resolution, digest="sha256:12", added="by a later release"), CLAIMS) == resolution


def test_even_a_model_of_empty_files_comes_back() -> None:
    empty = replace(RESOLUTION, sizeBytes=0)
    assert recorded(status(empty), CLAIMS) == empty


@pytest.mark.parametrize("version", ["3", "4", "latest"])
def test_the_record_of_any_version_is_found_with_any_access(version: str) -> None:
    model = replace(CLAIMS, version=version, workspace=replace(HOME, secret_name="new"))
    assert recorded(status(RESOLUTION), model) == RESOLUTION


@pytest.mark.parametrize("other", [{"name": "claim"}, {"name": "other"}, {"workspace": LAB}, {"workspace": None}])
def test_what_is_recorded_of_something_else_is_not_taken(other: dict[str, Any]) -> None:
    assert recorded(status(RESOLUTION), replace(CLAIMS, **other)) is None


@pytest.mark.parametrize("field", ["source", "version", "uri", LISTING, "sizeBytes", "files"])
def test_a_record_with_a_part_missing_counts_as_none(field: str) -> None:
    damaged = status(RESOLUTION)
    del damaged["models"][1][field]
    assert recorded(damaged, CLAIMS) is None


@pytest.mark.parametrize("empty", [{}, {"models": []}, {"models": [{"name": "claims"}]}])
def test_where_nothing_is_recorded_nothing_is_found(empty: dict[str, Any]) -> None:
    assert recorded(empty, CLAIMS) is None


def test_secrets_are_in_no_text_made_of_what_holds_them() -> None:
    principal = Principal("the-tenant", "the-client", "the-secret")
    signed = Signed(f"{ACCOUNT}/models/claims/", "the-secret", 1.0)
    resolved = Resolved(owner(), signed={"claims": signed})
    for holder in (principal, signed, resolved, Observed(signed={"claims": signed})):
        assert "the-secret" not in f"{holder!r} {holder}"
    assert "the-client" in repr(principal)
    assert signed.uri in repr(signed)


@pytest.mark.parametrize(
    ("path", "is_folder", "uri"),
    [
        ("claims/3", True, "/models/claims/3/"),
        ("claims/model.onnx", False, "/models/claims/model.onnx"),
        ("a folder/ü", True, "/models/a%20folder/%C3%BC/"),
        ("a?b#c%20d+e", False, "/models/a%3Fb%23c%2520d%2Be"),
    ],
)
def test_the_address_of_files_is_quoted(path: str, is_folder: bool, uri: str) -> None:
    assert uri_of(BlobPath(ACCOUNT, "models", path), is_folder=is_folder) == f"{ACCOUNT}{uri}"


@given(PATHS, st.booleans())
def test_the_same_place_is_read_out_of_the_address_here_and_by_the_fetcher(path: str, is_folder: bool) -> None:
    uri = uri_of(BlobPath(ACCOUNT, "models", path), is_folder=is_folder)
    assert path_of(uri, HOME) == BlobPath(ACCOUNT, "models", path)
    place = location.parse(uri)
    assert (place.endpoint, place.container, place.path, place.is_folder) == (ACCOUNT, "models", path, is_folder)
