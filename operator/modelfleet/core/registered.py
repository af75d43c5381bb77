"""A model that is registered in Azure Machine Learning: which files it consists of, and what pins them.

Azure says where a model is in a dozen forms, and never what exactly is there. What is resolved here from its
answers is recorded in the status, so that it is asked once for each version and not for each pod.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TypeAlias
from urllib.parse import quote, unquote

from modelfleet.core.api import Environment, Model, ModelDeployment, Workspace
from modelfleet.core.diagnosis import Cause
from modelfleet.core.errors import Invalid, Unsupported
from modelfleet.core.manifest import Manifest, canonical_json

MODEL_SUFFIXES = (".onnx", ".ort")
NAMED_AT_MOST = 5
ALGORITHM = "sha256:"
RECORDED_AT_MOST = 32
"""Of how many files a record tells more than their number: statuses are no place for thousands of names."""

MD5s: TypeAlias = tuple[tuple[str, str], ...]
"""The names of files and their MD5s."""

_PART = r"(?P<{}>[^/]+)"
_IN_WORKSPACE = r"subscriptions/{}/resourcegroups/{}/workspaces/{}/".format(
    *(_PART.format(name) for name in ("subscription", "group", "workspace"))
)
_DATASTORE_PATH = re.compile(
    rf"azureml://({_IN_WORKSPACE})?datastores/{_PART.format('datastore')}/paths/(?P<path>.+)", re.I
)
_BLOB_PATH = re.compile(r"(?P<account>https://[^/?#]+)/(?P<container>[^/?#]+)/(?P<path>[^?#]+)")


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob by its name in the container; ``etag`` is without quotes, as lists have it.

    ``md5`` is in hexadecimal digits, and often not there: Azure has it of files that were uploaded in one piece or
    together with it.
    """

    name: str
    size: int
    etag: str
    md5: str = ""


@dataclass(frozen=True, slots=True)
class DatastorePath:
    """A path in a datastore of ``workspace``."""

    workspace: Workspace
    datastore: str
    path: str


@dataclass(frozen=True, slots=True)
class BlobPath:
    """A path in a container of the storage account at ``account``, an address without a slash at its end."""

    account: str
    container: str
    path: str

    @property
    def container_uri(self) -> str:
        """Return the address of the container."""
        return f"{self.account}/{self.container}"


@dataclass(frozen=True, slots=True)
class Resolution:
    """What is served for a version of a model. ``source`` is the name of that version in Azure.

    ``md5`` is recorded where ETags do not tell contents apart, and ``onnxFiles`` where there are few; both may be
    missing, also from what an older operator has recorded.
    """

    source: str
    version: str
    uri: str
    listing: str
    sizeBytes: int  # noqa: N815  these are fields of the status
    files: int
    type: str = ""
    stage: str = ""
    archived: bool = False
    md5: MD5s = ()
    onnxFiles: tuple[str, ...] = ()  # noqa: N815

    @property
    def content(self) -> str:
        """Return a hash of the MD5s, or nothing where none are known."""
        return hashlib.sha256(canonical_json(dict(self.md5)).encode()).hexdigest() if self.md5 else ""

    def of(self, model: Model) -> Model:
        """Return the model as it is to be served: a certain version, its place, and what pins its files."""
        return replace(model, version=self.version, uri=self.uri, listing=self.listing, content=self.content)

    def since(self, before: Resolution) -> Resolution:
        """Return it with the MD5s that were recorded before, unless there are other files now.

        What only one side has an MD5 of is no change: replicas differ in that, and older operators recorded none.
        """
        is_same = before.source == self.source and is_consistent(before, self.listing, self.md5)
        return replace(self, md5=before.md5) if is_same else self

    def at(self, signed: Signed) -> Resolution:
        """Return what is served from a signed address: something else where its replica contradicts the record.

        Other names or sizes are left to the pods, which see them and say so.
        """
        if signed.listing != self.listing or is_consistent(self, signed.listing, signed.md5):
            return self
        return replace(self, md5=signed.md5)

    def status(self) -> Manifest:
        """Return the fields of the status that record it."""
        stated = asdict(self) | {
            "listing": f"{ALGORITHM}{self.listing}",
            "md5": dict(self.md5),
            "onnxFiles": list(self.onnxFiles),
        }
        return {name: value for name, value in stated.items() if value not in ("", {}, []) and value is not False}


@dataclass(frozen=True, slots=True)
class Principal:
    """A service principal of Microsoft Entra, as a user's Secret holds it."""

    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Signed:
    """An address of a registry's model that opens it until ``expires`` (seconds of Unix time).

    ``listing`` and ``md5`` are of the files that the replica at that address has.
    """

    uri: str
    token: str = field(repr=False)
    expires: float
    listing: str = ""
    md5: MD5s = ()


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of everything that has to be looked up in Azure, as far as it is known now.

    ``owner`` has its models and image filled in. ``problem`` is why that is not possible, ``trouble`` why what is
    known may be old. ``again_s`` is when to ask again, if ever.
    """

    owner: ModelDeployment
    models: Mapping[str, Resolution] = field(default_factory=dict)
    signed: Mapping[str, Signed] = field(default_factory=dict)
    problem: Cause | None = None
    trouble: Cause | None = None
    again_s: float | None = None


def is_resolved(owner: ModelDeployment) -> bool:
    """Return whether it is known what every model and the image are."""
    spec = owner.spec
    return all(model.uri for model in spec.models) and (spec.environment is None or bool(spec.image))


def recorded_image(status: Manifest, environment: Environment) -> str:
    """Return the image that the status says of an environment, if it does."""
    entry: Manifest = status.get("environment", {})
    return entry.get("image", "") if entry.get("source") == environment.source else ""


def recorded(status: Manifest, model: Model) -> Resolution | None:
    """Return what the status says of the model of that name and place, of whatever version; None if nothing."""
    entry: Manifest = next((e for e in status.get("models", []) if e["name"] == model.name), {})
    if not model.workspace or not entry.get("source", "").startswith(model.workspace.source_of(model.name, "")):
        return None
    if not entry.get("listing", "").startswith(ALGORITHM):
        return None  # nothing would pin the files
    fields = {name: value for name, value in entry.items() if name in Resolution.__dataclass_fields__}
    try:
        return Resolution(
            **fields
            | {
                "listing": entry["listing"].removeprefix(ALGORITHM),
                "md5": tuple(sorted(entry.get("md5", {}).items())),
                "onnxFiles": tuple(entry.get("onnxFiles", ())),
            }
        )
    except TypeError:
        return None  # an older operator, or somebody else, wrote less


def path_of(uri: str, workspace: Workspace) -> DatastorePath | BlobPath:
    """Return where the files of a model of ``workspace`` are, which Azure says as ``uri``. Raises Unsupported."""
    if found := _DATASTORE_PATH.fullmatch(uri):
        where = found.groupdict()
        if where["workspace"]:
            names = where["subscription"], where["group"], where["workspace"]
            workspace = replace(workspace, subscription_id=names[0], resource_group=names[1], name=names[2])
        return DatastorePath(workspace, where["datastore"], where["path"].strip("/"))
    if found := _BLOB_PATH.fullmatch(uri):
        return BlobPath(found["account"], found["container"], unquote(found["path"]).strip("/"))
    raise Unsupported(
        "ModelUnsupported",
        f"Azure says that its files are at {uri.partition('?')[0]}, which is no path of a datastore: register the "
        "model from a datastore or a folder, or write the address of its files in model.uri.",
    )


def files_at(path: str, blobs: Iterable[Blob]) -> tuple[bool, tuple[Blob, ...]]:
    """Return whether ``path`` is a folder, and its files by their paths below it, sorted; a file has its own name.

    The fetcher decides the same way: a blob of that very name unless it only marks a folder, else what is below
    it; never its siblings whose names begin alike. Raises Invalid when there is nothing.
    """
    blobs = tuple(blobs)
    exact = next((blob for blob in blobs if blob.name == path), None)
    below = [replace(b, name=b.name[len(path) + 1 :]) for b in blobs if b.name.startswith(f"{path}/")]
    if not (exact and exact.size) and (kept := _without_markers(below)):
        return True, tuple(sorted(kept, key=lambda blob: blob.name.encode()))
    if exact:
        return False, (replace(exact, name=path.rpartition("/")[2]),)
    raise Invalid(
        "ModelEmpty", f"There are no files at {path}: register the model again from where its files are."
    )


def listing_of(files: Iterable[Blob], *, has_replicas: bool) -> str:
    """Return the hash that pins files, which the fetcher computes as well.

    ETags differ between the replicas of a registry, so there only names and sizes count. Empty files do not: they
    may stand for folders, of which storage tells different clients different things.
    """
    ordered = sorted((file for file in files if file.size), key=lambda file: file.name.encode())
    lines = (f"{'-' if has_replicas else file.etag} {file.size} {file.name}\n" for file in ordered)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def md5_of(files: Iterable[Blob]) -> MD5s:
    """Return the MD5s of those of the largest files that have one; empty files do not count here either."""
    largest = sorted((file for file in files if file.size), key=lambda file: (-file.size, file.name))
    return tuple(sorted((file.name, file.md5) for file in largest[:RECORDED_AT_MOST] if file.md5))


def is_consistent(found: Resolution, listing: str, md5: MD5s) -> bool:
    """Return whether these may be the files that were found: compared is what both sides have an MD5 of."""
    others = dict(md5)
    return listing == found.listing and all(others.get(name, mine) == mine for name, mine in found.md5)


def onnx_files(names: Iterable[str]) -> tuple[str, ...]:
    """Return which of the files can be the model, to be recorded; none where there are too many."""
    found = tuple(name for name in names if name.endswith(MODEL_SUFFIXES))
    return found if len(found) <= RECORDED_AT_MOST else ()


def refusal_of(found: Resolution, wanted: str) -> Invalid | None:
    """Return why a recorded version cannot be served with that file, as far as its record tells."""
    if found.onnxFiles:
        try:
            check_served(found.onnxFiles, wanted)
        except Invalid as refusal:
            return refusal
    return None


def check_served(files: Iterable[str], wanted: str) -> None:
    """Raise Invalid unless it is clear which of the files is the model: ``wanted``, or else the only one."""
    names = [name for name in files if name.endswith(MODEL_SUFFIXES)]
    if wanted and wanted not in names:
        raise Invalid("ModelFileMissing", f"The model has no file {wanted}; {_choice(names)}")
    candidates = [name for name in names if "/" not in name] or names
    if not wanted and len(candidates) != 1:
        raise Invalid(
            "ModelFileAmbiguous" if candidates else "ModelFileMissing",
            f"Which file of the model to serve is not clear: {_choice(candidates)}",
        )


def uri_of(place: BlobPath, *, is_folder: bool) -> str:
    """Return the address of the files; that of a folder ends in a slash."""
    return f"{place.container_uri}/{quote(place.path)}{'/' if is_folder else ''}"


def _choice(names: list[str]) -> str:
    if not names:
        return "it has no .onnx file at all, and only ONNX models can be served."
    shown = ", ".join(names[:NAMED_AT_MOST]) + (" …" if len(names) > NAMED_AT_MOST else "")
    return f"write one of these in model.file: {shown}."


def _without_markers(files: list[Blob]) -> list[Blob]:
    """Drop the empty blobs that some tools leave where a folder is (hdi_isfolder)."""
    folders = {file.name[:end] for file in files for end, letter in enumerate(file.name) if letter == "/"}
    return [f for f in files if f.size or (f.name and f.name not in folders and not f.name.endswith("/"))]
