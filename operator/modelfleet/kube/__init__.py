"""One Kubernetes cluster, spoken to in plain JSON: client, caches, Events, leadership and credentials."""
