"""Python code of the user around the models, or without any: `init()` and `run()`, as Azure ML's server has them.

This package supervises; the code itself runs in processes of its own, with what is in `worker`. There one writes

    from modelserver.handlers import ModelError, models
"""

from modelserver.handlers.worker.models import ModelError, models

__all__ = ["ModelError", "models"]
