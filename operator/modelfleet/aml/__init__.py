"""Azure Machine Learning: from the name of a model to pinned files."""
