"""Member clusters as they are seen from here: read, asked, and laid out for people."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain

from modelfleet.cli.layout import columns, facts
from modelfleet.cli.refusal import Refused
from modelfleet.core.errors import ModelfleetError, Retryable, Terminal, Unreachable
from modelfleet.core.inventory import rights
from modelfleet.core.inventory.member import Hub, Member, Refusal
from modelfleet.core.inventory.same import merged
from modelfleet.kube import inventory, member
from modelfleet.kube.client import KubeClient
from modelfleet.kube.inventory import Sources

# Includes getting a token, for which the client has no limit.
LOOK_S = 15.0
SENTENCE = 500

HEADINGS = ("NAME", "REGION", "SOURCE", "SERVER", "STATE")
REACHABLE = "Reachable"


@dataclass(frozen=True, slots=True)
class Seen:
    """A cluster and how it is: `state` is one word, `sentence` says more where it cannot be used."""

    found: Member | Refusal
    state: str
    sentence: str = ""
    uid: str = ""
    version: str = ""
    missing: tuple[rights.Right, ...] = ()

    @property
    def is_ready(self) -> bool:
        """Whether models could be brought there."""
        return self.state == REACHABLE and not self.missing


Look = Callable[[Member, KubeClient], Awaitable[Seen]]


async def identified(hub: KubeClient, sources: Sources) -> list[Seen]:
    """Return all clusters that the hub describes, and which of them answer. Raises Refused."""
    return await _look_at(await _found(hub, sources), hub, _identified)


async def checked(hub: KubeClient, sources: Sources, name: str, namespaces: Sequence[str]) -> list[Seen]:
    """Return the clusters of a name, and what is missing in these namespaces, or without any in all.

    Raises Refused.
    """

    async def look(entry: Member, client: KubeClient) -> Seen:
        return await _checked(entry, client, namespaces)

    named = [entry for entry in await _found(hub, sources) if entry.name == name]
    if not named:
        raise Refused(f"No cluster {name} is described there. To see all that are: modelfleet cluster list")
    return await _look_at(named, hub, look)


def table(seen: Sequence[Seen]) -> list[str]:
    """Return a line for each cluster, and below them what more there is to say."""
    return [*columns([HEADINGS, *map(_row, seen)]), *_remarks(seen)]


def report(seen: Sequence[Seen]) -> list[str]:
    """Return all that is known of some clusters."""
    return [
        line
        for place, one in enumerate(seen)
        for line in [*([""] if place else []), *facts(_facts(one)), *_missing(one)]
    ]


async def _found(hub: KubeClient, sources: Sources) -> inventory.Found:
    try:
        return await inventory.read(hub, sources)
    except ModelfleetError as error:
        raise Refused(f"The clusters that {hub.base_url} describes cannot be read: {error}") from error


async def _look_at(found: inventory.Found, hub: KubeClient, look: Look) -> list[Seen]:
    """Look at all of them at once, so that one that hangs keeps no other waiting."""
    return await asyncio.gather(*(_look(entry, hub, look) for entry in found))


async def _look(found: Member | Refusal, hub: KubeClient, look: Look) -> Seen:
    if isinstance(found, Refusal):
        return Seen(found, found.reason, found.message)
    try:
        async with asyncio.timeout(LOOK_S), _client(found, hub) as client:
            return await look(found, client)
    except TimeoutError:
        return Seen(found, Unreachable.__name__, f"There was no answer within {LOOK_S:g} s.")
    except ModelfleetError as error:
        return Seen(found, _reason(error), str(error))


@asynccontextmanager
async def _client(found: Member, hub: KubeClient) -> AsyncIterator[KubeClient]:
    if isinstance(found.auth, Hub):
        yield hub
        return
    async with member.connect(found) as client:
        yield client


async def _identified(found: Member, client: KubeClient) -> Seen:
    return Seen(found, REACHABLE, uid=await member.identity(client))


async def _checked(found: Member, client: KubeClient, namespaces: Sequence[str]) -> Seen:
    lists = await asyncio.gather(*(member.missing(client, rights.needed(), each) for each in namespaces or [""]))
    missing = tuple(dict.fromkeys(chain.from_iterable(lists)))
    # The right to see kube-system is one of those that may be missing.
    uid = "" if rights.IDENTITY in missing else await member.identity(client)
    return Seen(found, REACHABLE, "", uid, await member.version(client), missing)


def _reason(error: ModelfleetError) -> str:
    """Return one word: an error's own reason, or where it names none its kind."""
    named = error.reason if isinstance(error, Terminal | Retryable) else ""
    return type(error).__name__ if named in {"", "ApplyFailed"} else named


def _row(seen: Seen) -> tuple[str, ...]:
    found = seen.found
    return found.name, found.region, str(found.origin), _server(found), seen.state


def _server(found: Member | Refusal) -> str:
    return found.server if isinstance(found, Member) else ""


def _remarks(seen: Iterable[Seen]) -> Iterator[str]:
    """Yield what the table has no room for, below an empty line."""
    told = [f"{one.found.name}: {one.sentence[:SENTENCE]}" for one in seen if one.sentence]
    same = merged((one.uid, one.found) for one in seen if one.uid and isinstance(one.found, Member))
    for cluster in same:
        told += [f"{other.origin} is the same cluster as {cluster.member.origin}." for other in cluster.others]
    yield from ["", *told] if told else []


def _facts(seen: Seen) -> list[tuple[str, str]]:
    found = seen.found
    return [
        ("Name", found.name),
        ("Region", found.region or "unknown"),
        ("Source", str(found.origin)),
        ("Server", _server(found)),
        ("State", seen.state),
        ("Message", seen.sentence[:SENTENCE]),
        ("Identity", seen.uid),
        ("Version", seen.version),
        ("Rights", _rights(seen)),
    ]


def _rights(seen: Seen) -> str:
    if seen.state != REACHABLE:
        return ""
    return "not all that are needed" if seen.missing else "all that are needed"


def _missing(seen: Seen) -> list[str]:
    if not seen.missing:
        return []
    return ["", "Rights that are missing:", *(f"  {line}" for line in rights.described(list(seen.missing)))]
