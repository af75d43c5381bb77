"""Insurance claims: sample models, from the texts that they learn from to ONNX."""

import os

# ONNX Runtime sends usage data to Microsoft unless this is set before it is first imported.
os.environ["ORT_DISABLE_TELEMETRY"] = os.environ["ORT_TELEMETRY_DISABLED"] = "1"
