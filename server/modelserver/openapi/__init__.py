"""What the server answers, as an OpenAPI document of the models that are loaded, and as a page to try it."""
