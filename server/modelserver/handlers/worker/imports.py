"""Makes scripts find the modules that Azure ML's server would bring, wherever they import them from."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path

OURS = Path(__file__).with_name("aml.py")
PACKAGES = ("azureml", "azureml.contrib", "azureml.contrib.services")
PACKAGES_TODAY = ("azureml_inference_server_http", "azureml_inference_server_http.api")
MODULES = tuple(
    f"{package}.{name}"
    for package in (PACKAGES[-1], PACKAGES_TODAY[-1])
    for name in ("aml_request", "aml_response")
)


class Modules:
    """Finds these modules: they are `aml`, even where the real ones are installed. Those leave no trace on a
    function that `rawhttp` decorates, so that only the server which they belong to can tell.
    """

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """What `import` asks for."""
        return spec_from_file_location(name, OURS) if name in MODULES else None


class Packages:
    """Finds the packages that those modules lie in, where nobody else has them."""

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """What `import` asks for."""
        return ModuleSpec(name, None, is_package=True) if name in PACKAGES + PACKAGES_TODAY else None


def provide() -> None:
    """From now on they can be imported."""
    sys.meta_path.insert(0, Modules())
    sys.meta_path.append(Packages())
