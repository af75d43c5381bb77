-- How Argo CD judges a ModelDeployment. It goes into the ConfigMap argocd-cm: docs/install.md shows where.
-- Without it Argo CD takes a ModelDeployment for done as soon as it is applied.
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The operator has not seen this edit yet."}
end
local holds = {}
local waits = {Paused = true, Frozen = true, WaitingForApproval = true}
for _, condition in ipairs(status.conditions or {}) do
  holds[condition.type] = condition.status == "True"
  if condition.type == "Reconciling" and holds.Reconciling and waits[condition.reason] then
    return {status = "Suspended", message = condition.message}
  end
end
if holds.Ready then
  return {status = "Healthy", message = status.message}
end
if holds.Stalled or status.phase == "Degraded" then
  return {status = "Degraded", message = status.message}
end
return {status = "Progressing", message = status.message}
