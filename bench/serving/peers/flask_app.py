"""Flask in the shape of the old template."""
# mypy: ignore-errors

from flask import Flask, jsonify, request
from onnx_model import predict

app = Flask(__name__)


@app.post("/score")
def score():
    """The results of the rows."""
    return jsonify(results=predict(request.get_json(force=True)["data"]).tolist())


@app.get("/healthcheck")
def healthcheck():
    """That the process answers."""
    return "OK"
