"""``modelfleet cluster``: which member clusters there are, which of them answer, and what may be done there."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Iterable

from modelfleet.cli import join_command, members
from modelfleet.cli.cluster import open_cluster
from modelfleet.cli.refusal import Refused
from modelfleet.cli.screen import printable
from modelfleet.core.inventory.cluster_profile import SIGN_INS
from modelfleet.kube.client import KubeClient
from modelfleet.kube.inventory import Sources

REFUSED, INTERRUPTED = 1, 130

Edge = Callable[[argparse.Namespace, KubeClient], Awaitable[int]]


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``cluster`` and what can be asked about clusters."""
    cluster = commands.add_parser(
        "cluster", help="show the member clusters and whether they can be used, or add one"
    )
    asked = cluster.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_sources(_add(asked, "list", "show all member clusters, and which of them answer", _list))
    check = _add(asked, "check", "show whether a member cluster has all that is needed of it", _check)
    check.add_argument("name", metavar="NAME")
    _add_namespaces(check)
    _add_sources(check)
    join = _add(asked, "join", "make a cluster a member, with the least rights that are needed there", _join)
    join_command.add_to(join)
    _add_namespaces(join)


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, told: str, edge: Edge
) -> argparse.ArgumentParser:
    sentence = f"{told[:1].upper()}{told[1:]}."
    command = commands.add_parser(name, help=told, description=sentence, allow_abbrev=False)
    hub = command.add_argument_group("in which cluster", "as with kubectl")
    hub.add_argument("--context", default="", help="a context of the kubeconfig; by default the current one")
    hub.add_argument("--kubeconfig", metavar="FILE", default="", help="by default KUBECONFIG, or ~/.kube/config")
    command.set_defaults(run=lambda chosen: _run(command, edge, chosen))
    return command


def _add_namespaces(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-n",
        "--namespace",
        dest="namespaces",
        metavar="NAMESPACE",
        action="append",
        default=[],
        help="where models shall be; may be given several times; by default the rights are for all",
    )


def _add_sources(command: argparse.ArgumentParser) -> None:
    sources = command.add_argument_group("where clusters are described", "at least one of the namespaces")
    told = {
        "--argocd": "Argo CD's Secrets of clusters",
        "--cluster-api": "Cluster API's Secrets with kubeconfigs",
        "--cluster-profiles": "ClusterProfiles",
    }
    for option, what in told.items():
        sources.add_argument(option, metavar="NAMESPACE", default="", help=f"the namespace of {what}")
    sources.add_argument(
        "--provider",
        metavar="NAME=SIGN-IN",
        action="append",
        default=[],
        type=_provider,
        help=f"how to sign in where ClusterProfiles name this access provider: {', '.join(SIGN_INS)}; "
        "may be given several times, the first that a cluster has is used",
    )


def _provider(text: str) -> tuple[str, str]:
    name, _, way = text.partition("=")
    if not name or way not in SIGN_INS:
        raise argparse.ArgumentTypeError(f"write NAME={' or NAME='.join(SIGN_INS)}")
    return name, way


def _run(command: argparse.ArgumentParser, edge: Edge, chosen: argparse.Namespace) -> int:
    if not (chosen.argocd or chosen.cluster_api or chosen.cluster_profiles):
        command.error("say where clusters are described: --argocd, --cluster-api or --cluster-profiles")
    # What the library warns of, we tell in our own words.
    logging.getLogger("azure").setLevel(logging.CRITICAL)
    try:
        return asyncio.run(_connected(edge, chosen))
    except Refused as error:
        sys.stderr.writelines(f"modelfleet: {line}\n" for line in printable([str(error)]))
        return REFUSED
    except BrokenPipeError:
        # Whoever read has enough; Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED


async def _connected(edge: Edge, chosen: argparse.Namespace) -> int:
    async with open_cluster(chosen.kubeconfig, chosen.context, "") as cluster:
        code = await edge(chosen, cluster.client)
    sys.stdout.flush()
    return code


async def _list(chosen: argparse.Namespace, hub: KubeClient) -> int:
    seen = await members.identified(hub, _sources(chosen))
    if not seen:
        raise Refused("No clusters are described there.")
    _show(members.table(seen))
    return 0


async def _check(chosen: argparse.Namespace, hub: KubeClient) -> int:
    seen = await members.checked(hub, _sources(chosen), chosen.name, chosen.namespaces)
    _show(members.report(seen))
    return 0 if all(one.is_ready for one in seen) else REFUSED


async def _join(chosen: argparse.Namespace, hub: KubeClient) -> int:
    seen = await join_command.joined(chosen, hub)
    _show(members.report(seen))
    return 0 if all(one.is_ready for one in seen) else REFUSED


def _sources(chosen: argparse.Namespace) -> Sources:
    return Sources(chosen.argocd, chosen.cluster_api, chosen.cluster_profiles, dict(chosen.provider))


def _show(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in printable(lines))
