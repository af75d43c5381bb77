"""The way into a member cluster, and what is asked there first: which one it is, and what may be done in it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable
from tempfile import NamedTemporaryFile

from modelfleet.core.errors import Unavailable, Unsupported
from modelfleet.core.inventory.member import BearerToken, ClientCertificate, Entra, Member
from modelfleet.core.inventory.rights import Right
from modelfleet.core.manifest import dig
from modelfleet.kube.client import CONNECT_S, NAMESPACES, KubeClient, Resource
from modelfleet.kube.resolver import MemberResolver
from modelfleet.kube.wire import Request
from modelfleet.kube.workload_identity import WorkloadIdentity

TOTAL_S = 10.0
# Other people's clusters may answer anything, for as long as one reads.
ANSWER_BYTES = 32 * 1024 * 1024
# As where a description is read: docs/clusters.md explains it, and no ModelDeployment has it in its status.
KEY_INVALID = "KeyInvalid"
KUBE_SYSTEM = "kube-system"
ACCESS_REVIEWS = Resource(
    "authorization.k8s.io/v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", namespaced=False
)

Authorization = Callable[[], Awaitable[str | None]]


def connect(member: Member, *, connect_s: float = CONNECT_S, total_s: float = TOTAL_S) -> KubeClient:
    """A client of a member that is not the hub; Unsupported when its certificate cannot be used. Sends nothing."""
    return KubeClient(
        member.server,
        authorization=_authorization(member),
        tls=_tls(member),
        server_hostname=member.server_name or None,
        proxy=member.proxy or None,
        connect_s=connect_s,
        total_s=total_s,
        answer_bytes=ANSWER_BYTES,
        # With a proxy it is the proxy's name that is looked up here; the member's own the proxy looks up.
        resolver=MemberResolver(),
    )


async def identity(client: KubeClient) -> str:
    """What tells a cluster from all others, whatever it is called: the UID of its namespace kube-system."""
    uid = dig(await client.get(NAMESPACES, None, KUBE_SYSTEM), "metadata", "uid")
    if not isinstance(uid, str) or not uid:
        raise Unavailable(f"{client.base_url} has no namespace {KUBE_SYSTEM}: no Kubernetes is there.")
    return uid


async def version(client: KubeClient) -> str:
    """The version of Kubernetes that a cluster says it is, such as v1.36.1."""
    told = dig(await client.ask(Request("GET", "/version")), "gitVersion")
    return told if isinstance(told, str) else ""


async def missing(client: KubeClient, rights: Iterable[Right], namespace: str = "") -> list[Right]:
    """Those of the rights that we do not have in a namespace, or without one in some namespace."""
    asked = list(rights)
    allowed = await asyncio.gather(*(_is_allowed(client, right, namespace) for right in asked))
    return [right for right, is_allowed in zip(asked, allowed, strict=True) if not is_allowed]


async def _is_allowed(client: KubeClient, right: Right, namespace: str) -> bool:
    # One by one: the list of all one's rights is incomplete wherever a webhook decides, as Azure's does.
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "name": right.name,
        "namespace": "" if right.name else namespace,
    }
    review = {
        "apiVersion": ACCESS_REVIEWS.api_version,
        "kind": ACCESS_REVIEWS.kind,
        "spec": {"resourceAttributes": attributes},
    }
    answer = await client.ask(Request("POST", ACCESS_REVIEWS.path(), body=review))
    return dig(answer, "status", "allowed") is True


def _authorization(member: Member) -> Authorization | None:
    match member.auth:
        case BearerToken(token):
            return lambda: _at_once(f"Bearer {token}")
        case Entra() as entra:
            return WorkloadIdentity(entra).authorization
    return None


async def _at_once(value: str) -> str:
    return value


def _tls(member: Member) -> ssl.SSLContext:
    """Whom to trust and which certificate to show."""
    context = ssl.create_default_context(cadata=member.ca or None)
    # Like every Go client: the CA certificates of older clusters lack extensions that Python 3.13 insists on.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if isinstance(member.auth, ClientCertificate):
        _show(context, member.auth)
    return context


def _show(context: ssl.SSLContext, shown: ClientCertificate) -> None:
    # OpenSSL reads nothing but files. This one is ours alone, and gone before anything is sent.
    with NamedTemporaryFile() as file:
        file.write(f"{shown.certificate}{shown.key}\n".encode())
        file.flush()
        try:
            # Without a password it would ask the terminal for one.
            context.load_cert_chain(file.name, password="")
        except ssl.SSLError:
            pass
        else:
            return
    raise Unsupported(KEY_INVALID, "The client's key is none, or not that of its certificate.")
