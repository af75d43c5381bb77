"""Every decision of the operator, as pure functions over frozen data: no clock, no I/O, no memory."""
