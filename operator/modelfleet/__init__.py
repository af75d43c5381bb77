"""Modelfleet operator: serves registered models from a ModelDeployment resource."""
