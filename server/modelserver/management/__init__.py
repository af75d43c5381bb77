"""What the server tells of its models and does with them on request, in the words of Triton's extensions."""
