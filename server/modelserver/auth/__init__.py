"""Who may ask: callers with an API key, or with a token of an issuer like Microsoft Entra ID."""
