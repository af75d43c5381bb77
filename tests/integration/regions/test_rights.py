"""In a member the operator asks for nothing but what its account there may, and never writes a spec."""

from pathlib import Path

from modelfleet.core.inventory.rights import needed
from tests.integration.regions.fleet import Places, claims, reason, settle
from tests.support.audit import AuditLog
from tests.support.kubectl import Kubectl
from tests.support.members import ACCOUNT, Member
from tests.support.modeldeployments import apply, exists
from tests.support.operator import SYSTEM, OperatorProcess

SECRET = {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "storage"}, "stringData": {"sasToken": "s"}}
HUB_ACCOUNT = f"system:serviceaccount:{SYSTEM}:{ACCOUNT}"


def test_the_rights_of_the_account_in_a_member_are_enough_and_no_spec_is_written(
    operator: OperatorProcess, kubectl: Kubectl, places: Places, joined: dict[str, Member], control_plane: Path
) -> None:
    hub = AuditLog.of(control_plane)
    there = [AuditLog(member.kubeconfig.parent / "audit.log", HUB_ACCOUNT) for member in joined.values()]
    apply(kubectl, SECRET, claims(model={"credentials": {"secretName": "storage"}}))
    settle(places, reason(kubectl, "Serving"))
    apply(kubectl, claims("2", rollout={"bake": "1s"}))
    settle(places, reason(kubectl, "Serving"))
    assert exists(kubectl, "mfd", "claims")["metadata"]["generation"] == 2
    kubectl("delete", "mfd/claims", "--timeout=30s")
    allowed = {(right.group, right.resource, right.verb) for right in needed()}
    for log in there:
        assert log.refusals() == []
        assert ("", "secrets", "delete") in log.permissions()
        assert log.permissions() <= allowed
    assert hub.refusals() == []
