"""FastAPI tuned by hand: orjson both ways, and no validation."""
# mypy: ignore-errors

import orjson
from fastapi import FastAPI, Request, Response
from onnx_model import predict

app = FastAPI()


@app.post("/score")
async def score(request: Request):
    """The results of the rows."""
    rows = orjson.loads(await request.body())["data"]
    answer = orjson.dumps({"results": predict(rows)}, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(answer, media_type="application/json")
