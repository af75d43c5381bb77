"""Models: loading them, what they take and give, and which ones a server has."""
