"""When models run: in which thread, and which requests together."""
