"""What a person is told, in a sentence, instead of what was asked for."""


class Refused(Exception):
    """There is nothing to do, or no way to do it; the text says why, and what to do."""
