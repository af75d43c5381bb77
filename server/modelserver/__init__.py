"""Modelfleet scoring server: ONNX models behind HTTP."""
