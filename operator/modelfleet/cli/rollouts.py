"""The subcommands for rollouts: status, approve, promote, abort, retry, pause, resume, history and diff."""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from modelfleet.cli import difference, verbs
from modelfleet.cli.cluster import Cluster, Seen, open_cluster
from modelfleet.cli.follow import follow
from modelfleet.cli.history import history
from modelfleet.cli.picture import picture, table
from modelfleet.cli.refusal import Refused
from modelfleet.cli.screen import Screen, printable
from modelfleet.core import names
from modelfleet.core.policy import duration

REFUSED = 1
INTERRUPTED = 130
TICK_S = 1.0

Edge = Callable[[Cluster, argparse.Namespace], Awaitable[None]]

_VERBS = {
    "approve": "let a step of a canary go on that waits for a person (spec.rollout.canary.approval)",
    "promote": "end the wait of a rollout: go to the next step, or take the bake for done",
    "abort": "go back to the revision before; the new one is not tried again by itself",
    "retry": "try a revision again that went back, or is held because it failed",
    "pause": "keep further steps of rollouts from beginning (spec.rollout.paused)",
    "resume": "let the steps of rollouts go on (spec.rollout.paused)",
}
_ANNOTATION = (
    "This sets the annotation modelfleet.dev/{verb}, and nothing else; the status shows what comes of it."
)
_SPEC = (
    "This edits the spec of the ModelDeployment. Where Argo CD, Flux or a pipeline applies it from Git, write "
    "spec.rollout.paused there instead, or the edit is undone."
)
_DIFF = (
    "Compare what serves with the canary, or where there is none with what served before; or with the revision "
    "given. The exit code is 0 with and without differences."
)


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommands."""
    _add_status(commands)
    for verb, told in _VERBS.items():
        help_text = _SPEC if verb in {"pause", "resume"} else _ANNOTATION.format(verb=verb)
        _add(commands, verb, told, _ask, help_text).add_argument("name", metavar="NAME")
    past = _add(commands, "history", "show how rollouts ended, and what was rejected", _history)
    past.add_argument("name", metavar="NAME")
    past.add_argument("-o", "--output", choices=["json"], help="print the list as the status has it")
    compare = _add(commands, "diff", "show what differs between the pods of two revisions", _diff, _DIFF)
    compare.add_argument("name", metavar="NAME")
    compare.add_argument("--revision", metavar="REV", default="", help="the revision to compare with what serves")


def _add_status(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    status = _add(commands, "status", "show how ModelDeployments and their rollouts are doing", _status)
    status.add_argument("name", metavar="NAME", nargs="?", default="", help="left out, a table of all")
    status.add_argument("-A", "--all-namespaces", action="store_true", help="those of all namespaces")
    status.add_argument("-w", "--watch", action="store_true", help="follow NAME until Ctrl-C")
    status.add_argument(
        "--timeout", metavar="DURATION", type=_duration, help="with -w: follow for so long, such as 90s or 15m"
    )
    status.set_defaults(run=lambda chosen: _run_status(status, chosen))


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    told: str,
    edge: Edge,
    description: str = "",
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name, help=told, description=f"{_sentence(told)} {description}", allow_abbrev=False
    )
    cluster = command.add_argument_group("which cluster", "as with kubectl")
    cluster.add_argument("-n", "--namespace", default="", help="by default that of the context")
    cluster.add_argument("--context", default="", help="a context of the kubeconfig; by default the current one")
    cluster.add_argument(
        "--kubeconfig", metavar="FILE", default="", help="by default KUBECONFIG, or ~/.kube/config"
    )
    command.set_defaults(run=lambda chosen: _run(edge, chosen), command=name)
    return command


def _sentence(told: str) -> str:
    return f"{told[:1].upper()}{told[1:]}."


def _duration(text: str) -> timedelta:
    try:
        return duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _run_status(parser: argparse.ArgumentParser, chosen: argparse.Namespace) -> int:
    if chosen.name and chosen.all_namespaces:
        parser.error("a NAME is in one namespace: leave -A out")
    if chosen.watch and not chosen.name:
        parser.error("-w follows one ModelDeployment: write its NAME")
    if chosen.timeout and not chosen.watch:
        parser.error("--timeout is for -w")
    return _run(_status, chosen)


def _run(edge: Edge, chosen: argparse.Namespace) -> int:
    """Run a subcommand; return 0, or 1 where it was refused."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not every terminal can draw a tree
    try:
        asyncio.run(_connected(edge, chosen))
    except Refused as error:
        _tell(str(error))
        return REFUSED
    except BrokenPipeError:
        # Whoever read has enough; Python would complain once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        return 0 if getattr(chosen, "watch", False) else INTERRUPTED
    return 0


async def _connected(edge: Edge, chosen: argparse.Namespace) -> None:
    async with open_cluster(chosen.kubeconfig, chosen.context, chosen.namespace) as cluster:
        await edge(cluster, chosen)
    sys.stdout.flush()


async def _status(cluster: Cluster, chosen: argparse.Namespace) -> None:
    if chosen.watch:
        await _watch(cluster, chosen)
    elif chosen.name:
        _print(picture(await cluster.get(chosen.name), _now()))
    else:
        await _table(cluster, everywhere=chosen.all_namespaces)


async def _table(cluster: Cluster, *, everywhere: bool) -> None:
    bodies = await cluster.list(everywhere=everywhere)
    if bodies:
        _print(table(bodies, with_namespaces=everywhere, now=_now()))
    else:
        _tell(f"There are no ModelDeployments in {'any namespace' if everywhere else cluster.namespace}.")


async def _watch(cluster: Cluster, chosen: argparse.Namespace) -> None:
    screen = Screen(sys.stdout)

    def show(seen: Seen) -> None:
        screen.show([*picture(seen.body, _now()), *(["", seen.trouble] if seen.trouble else [])])

    limit_s = chosen.timeout.total_seconds() if chosen.timeout else None
    try:
        async with asyncio.timeout(limit_s):
            await follow(cluster.versions(chosen.name), show, TICK_S if screen.is_live else None)
    except TimeoutError:
        return


async def _ask(cluster: Cluster, chosen: argparse.Namespace) -> None:
    request = verbs.VERBS[chosen.command](await cluster.get(chosen.name), _now())
    if request.patch:
        await cluster.patch(chosen.name, dict(request.patch))
    _print([request.sentence, f"Follow it with: modelfleet status {chosen.name} -n {cluster.namespace} -w"])


async def _history(cluster: Cluster, chosen: argparse.Namespace) -> None:
    body = await cluster.get(chosen.name)
    if chosen.output:
        sys.stdout.write(json.dumps(body.get("status", {}).get("history", []), indent=2) + "\n")
    else:
        _print(history(body, _now()))


async def _diff(cluster: Cluster, chosen: argparse.Namespace) -> None:
    stable = await cluster.deployment(chosen.name)
    if stable is None:
        await cluster.get(chosen.name)
        raise Refused(f"{chosen.name} has no pods yet: its Deployment is not there.")
    canary = await cluster.deployment(names.canary_deployment(chosen.name))
    _print(difference.unified(*difference.pair(stable, canary, chosen.revision)))


def _print(lines: list[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in printable(lines))


def _tell(sentence: str) -> None:
    sys.stderr.writelines(f"modelfleet: {line}\n" for line in printable([sentence]))


def _now() -> datetime:
    return datetime.now(UTC)
