-- How Argo CD judges a ModelDeployment; docs/install.md shows how to apply it.
-- Without it Argo CD takes a ModelDeployment for done as soon as it is applied.
local status = obj.status or {}
if status.observedGeneration ~= obj.metadata.generation then
  return {status = "Progressing", message = "The operator has not seen this edit yet."}
end
local reasons = {}
for _, condition in ipairs(status.conditions or {}) do
  if condition.status == "True" then
    reasons[condition.type] = condition.reason
  end
end
local health = "Progressing"
if reasons.Ready then
  health = "Healthy"
elseif status.phase == "Degraded" then
  health = "Degraded"
elseif ({ApprovalNeeded = true, Frozen = true, Paused = true})[reasons.Reconciling] then
  health = "Suspended"
end
return {status = health, message = status.message}
