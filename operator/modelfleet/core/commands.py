"""Commands: annotations that name the revision they mean, so that a stale one does nothing.

The value is ``REVISION`` or ``REVISION:ANYTHING``. Each value acts once: the operator never takes an annotation
away, and notes in the status which ones it has carried out. What stands behind the colon makes a value new; for
``approve`` and ``promote`` it is the step that is meant, or the wave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modelfleet.core import names
from modelfleet.core.manifest import Manifest, dig

VERBS = ("abort", "approve", "promote", "retry")
OF_A_STEP = frozenset({"approve", "promote"})


@dataclass(frozen=True, slots=True)
class Commands:
    """What people have annotated, by verb, and which values of that have been carried out already."""

    given: Mapping[str, str]
    done: Mapping[str, str]

    def asks(self, verb: str, revision: str, step: int | str = 0) -> bool:
        """Return whether the verb is to be carried out now for that revision, at that step or wave."""
        value = self.given.get(verb, "")
        return value != self.done.get(verb) and _means(verb, value, revision, step)

    def after(self, revision: str, step: int = 0) -> dict[str, str]:
        """Return which values are done with, once ``revision`` has been decided on: with effect or without."""
        return {
            verb: value
            for verb, value in self.given.items()
            if value == self.done.get(verb) or _means(verb, value, revision, step)
        }


def _means(verb: str, value: str, revision: str, step: int | str) -> bool:
    named, _, detail = value.partition(":")
    return named == revision and (verb not in OF_A_STEP or detail in {"", str(step)})


def read_commands(body: Manifest) -> Commands:
    """Return the commands on a ModelDeployment."""
    annotations = dig(body, "metadata", "annotations") or {}
    given = {verb: annotations[key] for verb in VERBS if (key := f"{names.GROUP}/{verb}") in annotations}
    return Commands(given, dig(body, "status", "commands") or {})
