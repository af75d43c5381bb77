"""Values of releases of gen-ml-api, as ``helm get values`` prints them."""

from typing import Any

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLIENT = "99999999-8888-7777-6666-555555555555"
PASSWORD = "hush~hush"
AMLARGS = {
    "azureTenantId": TENANT,
    "azureSubscriptionId": SUBSCRIPTION,
    "azureResourceGroupName": "rg-ml",
    "azureMlWorkspaceName": "ml-prod",
    "azureMlServicePrincipalClientId": CLIENT,
    "azureMlServicePrincipalPassword": PASSWORD,
}


def release(**values: Any) -> dict[str, Any]:
    """The values of a release whose pipeline has set what the old template asks for."""
    return {"amlargs": AMLARGS} | values


def with_amlargs(**amlargs: Any) -> dict[str, Any]:
    return {"amlargs": AMLARGS | amlargs}


# Everything that the chart has, each set to something.
FULL = release(
    replicaCount=3,
    image={"repository": "contoso.azurecr.io/gen-ml-api", "pullPolicy": "Always", "tag": 57},
    imagePullSecrets=[{"name": "registry"}],
    nameOverride="",
    fullnameOverride="old-api",
    serviceAccount={"create": True, "annotations": {"owner": "ml"}, "name": "ml"},
    podAnnotations={"team": "ml"},
    podSecurityContext={"fsGroup": 2000},
    securityContext={"runAsUser": 1000},
    service={"type": "ClusterIP", "port": 8080},
    ingress={
        "enabled": True,
        "annotations": {"kubernetes.io/ingress.class": "nginx"},
        "hosts": [{"host": "ml.example.com", "paths": ["/"]}, {"host": "ml.example.org", "paths": ["/"]}],
        "tls": [{"secretName": "ml-tls", "hosts": ["ml.example.com"]}],
    },
    resources={"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
    autoscaling={
        "enabled": False,
        "minReplicas": 1,
        "maxReplicas": 100,
        "targetCPUUtilizationPercentage": 80,
    },
    nodeSelector={"agentpool": "models"},
    tolerations=[{"key": "workload", "operator": "Equal", "value": "models", "effect": "NoSchedule"}],
    affinity={
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {
                    "topologyKey": "kubernetes.io/hostname",
                    "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "gen-ml-api"}},
                }
            ]
        }
    },
)
