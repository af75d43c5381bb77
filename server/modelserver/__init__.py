"""The scoring server (`python -m modelserver`) and the model fetcher (`python -m modelserver.fetch`)."""

import os

__version__ = "0.1.0"

# ONNX Runtime sends usage data to Microsoft unless this is set before it is first imported (from 1.30 on also on
# Linux; the name changed once). A server of other people's models has nothing to tell.
os.environ["ORT_DISABLE_TELEMETRY"] = os.environ["ORT_TELEMETRY_DISABLED"] = "1"
