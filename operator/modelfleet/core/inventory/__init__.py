"""The clusters that an operator may use, as other tools already describe them, read into one form or refused."""
