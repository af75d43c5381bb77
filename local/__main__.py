"""The command line: ``python3 -m local --help``."""

import argparse
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from local import api, build, cluster, components, gateway, images, sandbox, storage
from local.shell import Failure, locked, say


def up(args: argparse.Namespace) -> None:
    """Starts a cluster, or whatever of it does not run."""
    build.everything()
    with locked(cluster.CACHE):
        chosen = cluster.choose(args.name, args.region, node=not args.control_plane)
        chosen.save()
        sandbox.create(chosen)
    with locked(chosen.data):
        components.start(chosen)
    say(f"{chosen.name} is ready: export KUBECONFIG={chosen.kubeconfig}")


def down(args: argparse.Namespace) -> None:
    """Removes clusters and every trace of them; nothing of them need exist."""
    for name in names() if args.all else [args.name]:
        if known := cluster.find(name):
            storage.down(known)
        with locked(cluster.CACHE):
            sandbox.destroy(name)
            remove_folder(name)
        say(f"{name} is gone")


def remove_folder(name: str) -> None:
    """Removes a cluster's folder, and with the last cluster the folder above."""
    if (folder := cluster.CLUSTERS / name).exists():
        shutil.rmtree(folder)
    with suppress(OSError):  # Other clusters are there, or somebody else's files.
        cluster.CLUSTERS.rmdir()
        cluster.CLUSTERS.parent.rmdir()


def names() -> set[str]:
    """Every cluster of which there is something left."""
    return {known.name for known in cluster.recorded()} | sandbox.names()


def show(_: argparse.Namespace) -> None:
    """Prints the clusters."""
    print(f"{'NAME':20} {'REGION':15} {'STATE':10} {'ADDRESS':15} KUBECONFIG")
    for known in cluster.recorded():
        state = "running" if api.is_ready(known) else "stopped"
        print(f"{known.name:20} {known.region:15} {state:10} {known.node_ip:15} {known.kubeconfig}")


def print_kubeconfig(args: argparse.Namespace) -> None:
    """Prints the path of a cluster's kubeconfig."""
    print(cluster.get(args.name).kubeconfig)


def load(args: argparse.Namespace) -> None:
    """Brings images into a cluster."""
    images.load(cluster.get(args.name), args.archive)


def print_images(args: argparse.Namespace) -> None:
    """Builds the images and prints the paths of their archives."""
    print(*images.build_parts(args.part or images.PARTS, args.tag), sep="\n")


def serve_storage(args: argparse.Namespace) -> None:
    """Starts or ends a cluster's storage, and prints its connection string; or names another's there."""
    known = cluster.get(args.name)
    if args.action == "down":
        storage.down(known)
        return
    if args.of:
        storage.announce(known, cluster.get(args.of))
        return
    storage.up(known, args.data, args.tls)
    print(storage.connection_string(known, "https" if args.tls else "http"))


def serve_gateway(args: argparse.Namespace) -> None:
    """Starts or ends a cluster's Gateway, and prints its address."""
    known = cluster.get(args.name)
    if args.action == "down":
        gateway.down(known)
        return
    gateway.up(known)
    print(f"http://{known.node_ip}:{gateway.PORT}")


def parser() -> argparse.ArgumentParser:
    """The commands and what they take."""
    root = argparse.ArgumentParser(prog="python3 -m local", description="Kubernetes clusters on this machine.")
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    add = commands.add_parser("build", help="install and build all that clusters are made of")
    add.set_defaults(run=lambda _: build.everything())
    add = commands.add_parser("up", help="start a cluster, or what of it does not run")
    add.set_defaults(run=up)
    add.add_argument("name")
    add.add_argument("--region", help=f"what the node is labelled with; {cluster.REGION} by default")
    add.add_argument("--control-plane", action="store_true", help="no node: quicker, for tests of the API alone")
    add = commands.add_parser("down", help="remove a cluster and every trace of it")
    add.set_defaults(run=down)
    which = add.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?")
    which.add_argument("--all", action="store_true")
    add = commands.add_parser("list", help="list the clusters")
    add.set_defaults(run=show)
    add = commands.add_parser("kubeconfig", help="print the path of a cluster's kubeconfig")
    add.set_defaults(run=print_kubeconfig)
    add.add_argument("name")
    add = commands.add_parser("images", help="build the images and print the paths of their archives")
    add.set_defaults(run=print_images)
    add.add_argument("part", nargs="*", help="operator, server; both by default")
    add.add_argument("--tag", default="dev")
    add = commands.add_parser("load", help="bring image archives into a cluster")
    add.set_defaults(run=load)
    add.add_argument("name")
    add.add_argument("archive", nargs="+", type=Path)
    add = commands.add_parser("storage", help="start or end a cluster's Azure Blob storage")
    add.set_defaults(run=serve_storage)
    add.add_argument("action", choices=["up", "down"])
    add.add_argument("name")
    add.add_argument("--data", type=Path, help="the folder to keep blobs in; the cluster's own by default")
    add.add_argument("--of", metavar="NAME", help="have URLs mean the storage of that cluster, and start none")
    add.add_argument("--tls", nargs=2, type=Path, metavar=("CERT", "KEY"), help="speak https")
    add = commands.add_parser("gateway", help="start or end a cluster's Gateway")
    add.set_defaults(run=serve_gateway)
    add.add_argument("action", choices=["up", "down"])
    add.add_argument("name")
    return root


def main() -> None:
    """Runs one command; what went wrong is its last line."""
    args = parser().parse_args()
    try:
        args.run(args)
    except (Failure, OSError) as failure:
        sys.exit(f"error: {failure}")


if __name__ == "__main__":
    main()
