"""The process around the reconciler: settings, leader election, kopf, metrics and probes."""
