"""Container images, built with buildah and carried into clusters as OCI archives: no registry is needed."""

import io
import json
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from local import sandbox
from local.cluster import CACHE, Cluster
from local.shell import Failure, locked, run, say

IMAGES = CACHE / "images"
REPOSITORY = "localhost/modelfleet"
SUITE = "trixie"
BASE = f"{REPOSITORY}/base:{SUITE}"
BASE_PACKAGES = "python3,python3-venv,ca-certificates"
PARTS = ("operator", "server")
TREE = Path(__file__).parent.parent


def build_parts(parts: Sequence[str], tag: str) -> list[Path]:
    """Builds images of the project, says how large they are, and returns their archives."""
    with locked(IMAGES):
        create_base()
        archives = [build(name, TREE / f"Dockerfile.{name}", TREE, tag) for name in parts]
    for name in parts:
        beyond = megabytes(f"{REPOSITORY}/{name}:{tag}") - megabytes(BASE)
        say(f"{name} image: {beyond:.0f} MB unpacked beyond its base image")
    return archives


def pause_archive() -> Path:
    """The archive of the image that every pod's sandbox needs."""
    with locked(IMAGES):
        found = next(IMAGES.glob("pause-local-*.oci"), None)
        return found or build("pause", Path(__file__).parent / "pause/Dockerfile", Path("/bin"), "local")


def build(name: str, dockerfile: Path, context: Path, tag: str) -> Path:
    """Builds one image and returns its archive; layers that did not change come from buildah's cache."""
    if not dockerfile.exists():
        raise Failure(f"there is no {dockerfile}")
    say(f"building the {name} image")
    image = f"{REPOSITORY}/{name}:{tag}"
    # The host's certificates, mounted and so never in a layer, let pip trust what the host trusts.
    settings = ("--isolation", "chroot", "--network", "host", "--volume", "/etc/ssl/certs:/etc/ssl/certs:ro")
    base = ("--build-arg", f"BASE_IMAGE={BASE}")
    run("buildah", "build", "--layers", *settings, *base, "--file", dockerfile, "--tag", image, context)
    return export(image, f"{name}-{tag}")


def export(image: str, stem: str) -> Path:
    """The archive of an image, written unless it is there already."""
    number = run("buildah", "inspect", "--type", "image", "--format", "{{.FromImageID}}", image).strip()
    archive = IMAGES / f"{stem}-{number[:12]}.oci"
    if not archive.exists():
        for stale in IMAGES.glob(f"{stem}-*.oci"):
            stale.unlink()
        partial = archive.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        run("buildah", "push", "--quiet", image, f"oci-archive:{partial}:{image}")
        partial.replace(archive)
    return archive


def create_base() -> None:
    """Makes the stand-in for the public Python image, unless it is there already."""
    if run("buildah", "images", "--quiet", "--filter", f"reference={BASE}").strip():
        return
    say(f"building a Debian {SUITE} base image: about a minute the first time, then never again")
    root = IMAGES / "base"
    shutil.rmtree(root, ignore_errors=True)
    run("debootstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", SUITE, root)
    for folder in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man"):
        shutil.rmtree(root / folder, ignore_errors=True)
    container = run("buildah", "from", "scratch").strip()
    run("buildah", "copy", "--quiet", container, root, "/")
    run("buildah", "config", "--env", "LANG=C.UTF-8", "--cmd", "python3", container)
    run("buildah", "commit", "--quiet", "--rm", container, BASE)
    shutil.rmtree(root)


def load(cluster: Cluster, archives: list[Path]) -> None:
    """Imports archives into the cluster's containerd, but for those whose content it has already."""
    ctr = ("ctr", "--namespace", "k8s.io", "images")
    known = [line.split()[:3] for line in sandbox.enter(cluster.name, *ctr, "list").splitlines()]
    present = {(line[0], line[2]) for line in known}
    for archive in archives:
        for image, digest in manifests(archive):
            if (image, digest) not in present:
                say(f"loading {image} into {cluster.name}")
                sandbox.enter(cluster.name, *ctr, "import", archive.resolve())


def manifests(archive: Path) -> Iterator[tuple[str, str]]:
    """Name and digest of each image in an archive."""
    with tarfile.open(archive) as archived, archived.extractfile("index.json") or io.BytesIO() as index:
        for entry in json.load(index)["manifests"]:
            yield entry["annotations"]["org.opencontainers.image.ref.name"], entry["digest"]


def megabytes(image: str) -> float:
    """The size of an image, unpacked."""
    # One line for each name of the image.
    number, unit = run("buildah", "images", "--noheading", "--format", "{{.Size}}", image).split()[:2]
    return float(number) * {"KB": 0.001, "MB": 1, "GB": 1000}[unit]
