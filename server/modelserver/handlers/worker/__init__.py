"""The process that a handler runs in. It loads nothing of the server, and so costs little beside the handler."""
