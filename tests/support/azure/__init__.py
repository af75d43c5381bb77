"""Azure as its clients see it: the real host names over TLS, behind a proxy that lets nothing else pass."""
