"""Manifests from views: strict Jinja2 templates, read back as strict YAML."""
