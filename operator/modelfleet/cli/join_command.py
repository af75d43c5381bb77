"""``modelfleet cluster join``: make a cluster a member, with an account for the hub, and see that it works."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from modelfleet.cli import members
from modelfleet.cli.members import Seen
from modelfleet.cli.refusal import Refused
from modelfleet.cli.screen import printable
from modelfleet.core.errors import Forbidden, ModelfleetError, NotFound, Unreachable
from modelfleet.core.inventory import access, argocd
from modelfleet.core.inventory.access import Joined, Way
from modelfleet.core.inventory.member import Unusable
from modelfleet.kube import access as granting
from modelfleet.kube.client import SECRETS, KubeClient
from modelfleet.kube.inventory import Sources

# API servers take a moment until they know new accounts and rights.
SETTLE_S, AGAIN_S = 10.0, 0.5
NO_TOKEN = "not-yet"  # noqa: S105  stands for it where none is needed

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?", re.ASCII)
_LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?", re.ASCII)


def add_to(join: argparse.ArgumentParser) -> None:
    """Add what a cluster needs to become a member."""
    name = _matching(_NAME, "at most 50 lower-case letters, digits and dashes")
    join.add_argument("name", metavar="NAME", type=name, help="how the hub shall call it")
    join.add_argument("--argocd", metavar="NAMESPACE", required=True, help="where the hub shall describe it")
    label = _matching(_LABEL, "at most 63 letters, digits, dashes, dots and underscores")
    join.add_argument("--region", type=label, default="", help="where it is, such as westeurope")
    member = join.add_argument_group("the member", "with the rights of its administrator")
    member.add_argument("--member-context", metavar="CONTEXT", required=True, help="a context of its kubeconfig")
    member.add_argument(
        "--member-kubeconfig", metavar="FILE", default="", help="by default KUBECONFIG, or ~/.kube/config"
    )
    member.add_argument(
        "--server", metavar="URL", default="", help="its address as the hub has it; by default the kubeconfig's"
    )
    # The namespace of --argocd is all that is looked into.
    join.set_defaults(cluster_api="", cluster_profiles="", provider=[])


def _matching(pattern: re.Pattern[str], form: str) -> Callable[[str], str]:
    def matched(text: str) -> str:
        if not pattern.fullmatch(text):
            raise argparse.ArgumentTypeError(f"write {form}")
        return text

    return matched


async def joined(chosen: argparse.Namespace, hub: KubeClient) -> list[Seen]:
    """Make a cluster a member of the hub; return how it is then. Raises Refused."""
    async with _entered(chosen) as (administrator, way):
        member = Joined(chosen.name, chosen.argocd, chosen.region, way)
        await _refuse_what_cannot_be(hub, member)
        token = await _granted(administrator, chosen.namespaces)
    with _told(f"The hub at {hub.base_url}"):
        await _describe(hub, member, token)
    return await _settled(hub, member, chosen.namespaces)


@asynccontextmanager
async def _entered(chosen: argparse.Namespace) -> AsyncIterator[tuple[KubeClient, Way]]:
    with _told("The member's kubeconfig"):
        administrator, way = await granting.enter(chosen.member_kubeconfig, chosen.member_context)
    async with administrator:
        with _told("The member's kubeconfig"):
            seen = access.seen_from_the_hub(way, chosen.server)
        yield administrator, seen


async def _refuse_what_cannot_be(hub: KubeClient, member: Joined) -> None:
    """Refuse before anything is written anywhere."""
    with _told(f"The hub at {hub.base_url}"):
        listing = await hub.list(SECRETS, namespace=member.namespace, label_selector=argocd.SELECTOR)
        taken = await hub.get(SECRETS, member.namespace, member.secret)
        access.refuse_others(member, [*([taken] if taken else []), *listing.items])
        await _describe(hub, member, NO_TOKEN, dry_run=True)


async def _describe(hub: KubeClient, member: Joined, token: str, *, dry_run: bool = False) -> None:
    secret = access.description(member, token)
    # Without force: what somebody else wrote since we looked is left alone.
    await hub.apply(secret, field_manager=access.MANAGER, force=False, dry_run=dry_run)


async def _granted(administrator: KubeClient, namespaces: Sequence[str]) -> str:
    with _told(f"The member at {administrator.base_url}"):
        token, lost = await granting.grant(administrator, namespaces)
    sys.stderr.writelines(f"modelfleet: taken back: {line}\n" for line in printable(lost))
    return token


async def _settled(hub: KubeClient, member: Joined, namespaces: Sequence[str]) -> list[Seen]:
    """Return what a check sees, as soon as it sees nothing amiss, or after a while whatever it sees."""
    sources, deadline = Sources(member.namespace), time.monotonic() + SETTLE_S
    while True:
        seen = await members.checked(hub, sources, member.name, namespaces)
        if all(map(_is_settled, seen)) or time.monotonic() > deadline:
            return seen
        await asyncio.sleep(AGAIN_S)


def _is_settled(seen: Seen) -> bool:
    """Whether waiting cannot help: an address where nobody is stays one."""
    return seen.is_ready or seen.state == Unreachable.__name__


@contextmanager
def _told(who: str) -> Iterator[None]:
    """Turn failures into sentences."""
    try:
        yield
    except Unusable as error:
        raise Refused(error.message) from None
    except Forbidden as error:
        raise Refused(f"{who} does not let you do this. {_advice(error)}It says: {_short(error)}") from error
    except NotFound as error:
        raise Refused(f"{who} lacks what this needs: {_short(error)}") from error
    except ModelfleetError as error:
        raise Refused(f"{who} fails: {_short(error)}") from error


def _advice(error: Forbidden) -> str:
    if "attempting to grant" not in error.message:
        return ""
    return "Nobody may grant rights that they lack themselves: use a context of the cluster's administrator. "


def _short(error: ModelfleetError) -> str:
    return str(error)[: members.SENTENCE]
