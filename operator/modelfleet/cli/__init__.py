"""The command ``modelfleet``, for people and pipelines. The operator itself is ``python -m modelfleet``."""
