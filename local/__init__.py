"""A real Kubernetes cluster on one Linux machine, from packages only: ``python3 -m local up demo``.

Standard library only, so that it runs before any virtual environment exists.
"""
