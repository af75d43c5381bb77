"""The scoring server beside its peers and beside the limit, ONNX Runtime itself: ``python -m bench.serving``."""
