"""The model fetcher: brings a model from storage to a volume, whole and verified, before the server starts."""
