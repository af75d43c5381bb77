"""Bringing models into service: whether they fit, loading, warming up."""
