"""FastAPI as its documentation teaches it: a typed body, and the model called in the event loop."""
# mypy: ignore-errors

from fastapi import FastAPI
from onnx_model import predict
from pydantic import BaseModel

app = FastAPI()


class Rows(BaseModel):
    """The body."""

    data: list


@app.post("/score")
async def score(rows: Rows):
    """The results of the rows."""
    return {"results": predict(rows.data).tolist()}
