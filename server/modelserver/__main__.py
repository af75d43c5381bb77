"""`python -m modelserver`: see `--help`."""

import logging
import os
import sys

import uvloop

from modelserver.observe import logs
from modelserver.server import serve
from modelserver.settings import settings


def main() -> None:
    """Serves until told to stop, and never returns.

    Exit codes: 0 stopped and drained, 1 a defect or a port that is taken, 2 a mistake in the arguments, 3 a model
    or handler that cannot be loaded, or does not answer the golden samples (the termination log says which and
    why), 143 stopped at once by a second signal.
    """
    wanted = settings.parse(sys.argv[1:])
    logs.configure()
    try:
        code = uvloop.run(serve(wanted))
    except OSError as error:
        logging.getLogger(__name__).critical("cannot listen: %s", error)
        code = 1
    sys.stdout.flush()
    os._exit(code)  # a run that outlived its timeout must not hold up the end


main()
