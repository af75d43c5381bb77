"""What a server is told when it starts: options, environment, file, and what the machine allows."""
