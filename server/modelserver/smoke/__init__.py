"""Golden samples: what a server asks itself before it is ready, and what it has to answer."""
