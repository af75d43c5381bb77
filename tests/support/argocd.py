"""How Argo CD runs what manifests/argocd puts into its ConfigMap: in Lua 5.1, with few libraries.

After util/lua/lua.go of Argo CD: the base library, table, and of os only time and date, behind ``require``;
strings have no methods. Its Lua is gopher-lua, which knows the same language.
"""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from lupa import lua51

from tests.support.kubectl import KUBECTL

MANIFESTS = Path(__file__).parents[2] / "manifests" / "argocd"
KIND = "modelfleet.dev_ModelDeployment"
SANDBOX = """
local now, date = os.time(), os.date
local function time()
  now = now + 1 -- nobody chooses two actions within a second
  return now
end
debug.getmetatable("").__index = nil
for _, name in ipairs({"string", "math", "io", "os", "debug", "coroutine", "python", "package", "module"}) do
  _G[name] = nil
end
function require(name)
  return name == "os" and {time = time, date = date} or error("module " .. name .. " not found")
end
"""

Manifest = dict[str, Any]


@functools.cache
def config() -> dict[str, str]:
    """The data of the ConfigMap that is applied."""
    built = subprocess.run([KUBECTL, "kustomize", MANIFESTS], capture_output=True, text=True, check=True)
    data: dict[str, str] = yaml.safe_load(built.stdout)["data"]
    return data


@functools.cache
def actions() -> dict[str, str]:
    """The script of each action."""
    return {entry["name"]: entry["action.lua"] for entry in _customization()["definitions"]}


def health(body: Mapping[str, Any]) -> tuple[str, str]:
    """The health of an object and its message; of one that is being deleted Argo CD asks no script."""
    if body["metadata"].get("deletionTimestamp"):
        return "Progressing", "Pending deletion"
    found = run(config()[f"resource.customizations.health.{KIND}"], body)
    return found["status"], found.get("message", "")


def enabled(body: Mapping[str, Any]) -> dict[str, bool]:
    """Whether each action of an object can be chosen."""
    return {name: not told["disabled"] for name, told in run(_customization()["discovery.lua"], body).items()}


def acted(body: Mapping[str, Any], action: str) -> Manifest:
    """The object after an action: what its script returns, with empty mappings as they were."""
    cleaned: Manifest = _cleaned(run(actions()[action], body), body)
    return cleaned


def run(script: str, body: Mapping[str, Any]) -> Any:
    """What a script returns for an object."""
    lua = _interpreter()
    before = set(lua.globals().keys())
    lua.globals().obj = lua.table_from(json.loads(json.dumps(body)), recursive=True)
    try:
        return _python(_compiled(script)())
    finally:
        lua.globals().obj = None
        assert set(lua.globals().keys()) == before, "a variable is not local"


@functools.cache
def _customization() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(config()[f"resource.customizations.actions.{KIND}"])
    return found


@functools.cache
def _interpreter() -> Any:
    lua = lua51.LuaRuntime(unpack_returned_tuples=True, register_eval=False, register_builtins=False)
    lua.execute(SANDBOX)
    return lua


@functools.cache
def _compiled(script: str) -> Any:
    return _interpreter().compile(script)


def _python(value: Any) -> Any:
    """A value as its JSON has it; of an empty table Lua does not know whether it is a list."""
    if lua51.lua_type(value) != "table":
        return value
    keys = list(value.keys())
    if keys == list(range(1, len(keys) + 1)):
        return [_python(value[key]) for key in keys]
    return {key: _python(value[key]) for key in keys}


def _cleaned(new: Any, old: Any) -> Any:
    """What Argo CD makes of it: an empty list where there was a mapping is that mapping."""
    if new == [] and isinstance(old, Mapping):
        return old
    if isinstance(new, dict) and isinstance(old, Mapping):
        return {key: _cleaned(value, old.get(key)) for key, value in new.items()}
    if isinstance(new, list) and isinstance(old, list):
        return [_cleaned(*pair) for pair in zip(new, old, strict=True)]
    return new
