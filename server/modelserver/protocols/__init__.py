"""What clients speak: from their words to arrays, and from arrays to their words. Knows no sockets."""
