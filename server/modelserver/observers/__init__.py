"""What looks at requests after they were answered: traces, the sampled log of requests, the mirror."""
