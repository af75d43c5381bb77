"""`python -m modelserver.fetch`: see `--help`."""

from __future__ import annotations

import argparse
import logging
import os
import re
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from modelserver import termination
from modelserver.fetch import credentials, location
from modelserver.fetch.errors import FetchError
from modelserver.fetch.fetcher import Wanted, fetch
from modelserver.observe import logs

if TYPE_CHECKING:
    from modelserver.fetch.source import Source
    from modelserver.fetch.volume import Manifest

log = logging.getLogger("modelserver.fetch")

DESCRIPTION = """\
Fetches a model, one file or a folder of Azure Blob storage, into a folder that appears when all is verified.
Interrupted, it goes on where it ended. Exit codes: 0 it is there; 3 not found, not storable or a wrong checksum;
4 credentials; 5 storage, try again, or not the files of --listing; 6 the volume is full; 2 a mistake in the
arguments; 1 a defect."""


def main() -> int:
    """Fetches what the arguments say and returns the exit code."""
    arguments = _parser().parse_args()
    logs.configure()
    # The first process of a container is not ended by a signal that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))
    started = time.monotonic()
    try:
        wanted = Wanted(arguments.uri, arguments.sha256, arguments.listing)
        manifest = fetch(lambda: _source(arguments), wanted, arguments.to)
    except FetchError as error:
        log.critical("%s", error, extra={"reason": error.reason})
        termination.write(arguments.termination_log, error.reason, str(error))
        return error.exit_code
    _report(manifest, arguments.termination_log, time.monotonic() - started)
    return 0


def _source(arguments: argparse.Namespace) -> Source:
    from modelserver.fetch.source import Source  # noqa: PLC0415  # not needed when the model is there already

    found = credentials.find(arguments.credentials, os.environ)
    place = found.place.called(arguments.uri) if found.place else location.parse(arguments.uri)
    return Source(place, found)


def _report(manifest: Manifest, termination_log: Path, seconds: float) -> None:
    facts = {"sha256": manifest.sha256, "bytes": manifest.size, "files": len(manifest.files)}
    log.info("fetched", extra={"reason": "Fetched", "seconds": round(seconds, 2), **facts})
    termination.write(termination_log, "Fetched", "the model is complete and verified", **facts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("modelserver.fetch", description=DESCRIPTION)
    parser.add_argument(
        "--uri",
        required=True,
        help="https://ACCOUNT.blob.…/CONTAINER/PATH (a folder if it ends in /), or any web URL; "
        "only a name, of any scheme, where the credentials hold a file uri",
    )
    parser.add_argument(
        "--to", required=True, type=Path, metavar="DIR", help="the folder to make; the one above must be writable"
    )
    parser.add_argument(
        "--sha256",
        type=_sha256,
        metavar="HEX",
        help="of the file, or of a folder: "
        r"find . -type f -printf '%%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum | sha256sum",
    )
    parser.add_argument(
        "--listing",
        type=_sha256,
        metavar="HEX",
        help="the sha256 of a line 'ETAG SIZE PATH' for each file, sorted by PATH; with - for every ETAG also",
    )
    parser.add_argument(
        "--credentials",
        type=Path,
        metavar="DIR",
        help="a folder with the files sasToken, or accountKey, or tenantId, clientId and clientSecret, and maybe "
        "uri, the address where the model really is; without it workload identity is used where the pod has it",
    )
    parser.add_argument(
        "--termination-log",
        type=Path,
        default=termination.DEFAULT,
        metavar="PATH",
        help="where to write how it ended (default %(default)s); ignored where that cannot be written",
    )
    return parser


def _sha256(text: str) -> str:
    if not re.fullmatch("[0-9a-fA-F]{64}", text):
        raise argparse.ArgumentTypeError("a sha256 has 64 hexadecimal digits")
    return text.lower()


if __name__ == "__main__":
    sys.exit(main())
