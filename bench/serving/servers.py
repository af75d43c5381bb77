"""The servers that are compared: what each is started with, and the protocols that it speaks."""

from __future__ import annotations

import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from bench.serving.clients import GRPC_MODELS, Client, GrpcClient, HttpClient
from bench.serving.exchanges import PROTOCOLS
from bench.serving.process import HOST, Command, free_port
from local import venvs

if TYPE_CHECKING:
    from bench.serving.machine import Cores
    from bench.serving.models import Model

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PEERS = HERE / "peers"
# The packages whose version changes the figures.
NAMED = {
    *(
        "azureml-inference-server-http",
        "fastapi",
        "flask",
        "grpcio",
        "gunicorn",
        "httptools",
        "kserve",
        "mlserver",
    ),
    *("numpy", "nvidia-pytriton", "onnxruntime", "orjson", "pydantic", "pysimdjson", "uvicorn", "uvloop"),
}


@dataclass(frozen=True)
class Ports:
    """Where a server listens: for HTTP, for gRPC, and for its metrics if they have a port of their own."""

    http: int
    grpc: int
    metrics: int


@dataclass(frozen=True)
class Start:
    """What there is to say to a server that starts."""

    python: Path
    model: Model
    ports: Ports
    workers: int


@dataclass(frozen=True)
class Server:
    """A server of the comparison, with the packages that it is made of."""

    name: str
    requirements: Path
    protocols: tuple[str, ...]
    started: Callable[[Start], Command]
    # Triton's front end sets the first axis aside and needs another one.
    has_columns: bool = False

    def versions(self) -> str:
        """The packages that it is made of, and their versions. Raises Failure where they cannot be installed."""
        packages = venvs.python(self.requirements).parents[1].glob("lib/*/site-packages")
        found = metadata.distributions(path=list(map(str, packages)))
        return ", ".join(sorted(f"{one.name} {one.version}" for one in found if one.name.lower() in NAMED))

    def command(self, model: Model, ports: Ports, workers: int) -> Command:
        """How it is started. The first time its packages are installed; raises Failure where that fails."""
        return self.started(Start(venvs.python(self.requirements), model, ports, workers))

    def clients(self, model: Model, ports: Ports, cores: Cores) -> dict[str, Client]:
        """Who asks it, in each of its protocols that can carry the model's input and are worth it."""
        is_text = model.datatype == "BYTES"
        row = model.row[:, None] if is_text and self.has_columns else model.row
        protocols = [name for name in self.protocols if name in PROTOCOLS and not (is_text and name == "binary")]
        made: dict[str, Client] = {
            name: HttpClient(ports.http, PROTOCOLS[name](model, row), model, cores) for name in protocols
        }
        if "grpc" in self.protocols and model.name in GRPC_MODELS:
            made["grpc"] = GrpcClient(ports.grpc, model, cores)
        return made


def free_ports() -> Ports:
    """Ports that nobody listens on."""
    return Ports(free_port(), free_port(), free_port())


def modelserver(start: Start) -> Command:
    """Ours, with its defaults; it sees for itself how many cores it has."""
    model = ("--model", f"{start.model.name}={start.model.path}", "--host", HOST)
    ports = ("--port", str(start.ports.http), "--grpc-port", str(start.ports.grpc))
    return Command((str(start.python), "-m", "modelserver", *model, *ports), {"PYTHONPATH": str(ROOT / "server")})


def unbatched(start: Start) -> Command:
    """Ours, with every request in a run of its own: what batches give, and that they cost nothing."""
    one = modelserver(start)
    return replace(one, words=(*one.words, "--live-settings", str(HERE / "unbatched.yaml")))


def fastapi(start: Start) -> Command:
    """FastAPI on uvicorn with its fast parts (uvloop, httptools), quiet."""
    return _uvicorn(start, "fastapi_app:app")


def fastapi_orjson(start: Start) -> Command:
    """The same, tuned by hand."""
    return _uvicorn(start, "fastapi_orjson_app:app")


def _uvicorn(start: Start, app: str) -> Command:
    where = ("--host", HOST, "--port", str(start.ports.http), "--workers", str(start.workers))
    return _peer(start, "-m", "uvicorn", app, *where, "--no-access-log", "--log-level", "warning")


def flask(start: Start) -> Command:
    """Flask on gunicorn with threads."""
    workers = (
        "--worker-class",
        "gthread",
        "--workers",
        str(start.workers),
        "--threads",
        "4",
        "--no-control-socket",
    )
    return _peer(start, "-m", "gunicorn", *workers, "--bind", f"{HOST}:{start.ports.http}", "flask_app:app")


def azureml(start: Start) -> Command:
    """Azure ML's inference server."""
    given = ("--entry_script", str(PEERS / "azureml_entry.py"), "--model_dir", str(start.model.path.parent))
    where = ("--port", str(start.ports.http), "--worker_count", str(start.workers))
    return _peer(start, "-m", "azureml_inference_server_http.amlserver", *given, *where)


def kserve(start: Start) -> Command:
    """KServe's server, which by default writes five lines to its log for each request; here none."""
    where = ("--http_port", str(start.ports.http), "--workers", str(start.workers), "--enable_grpc", "false")
    quiet = ("--log_config_file", str(PEERS / "kserve_logging.json"), "--enable_latency_logging", "false")
    return _peer(start, str(PEERS / "kserve_model.py"), *where, *quiet)


def mlserver(start: Start) -> Command:
    """MLServer in one process: its pool of workers costs more than it gives, with models as cheap as these."""
    settings = {
        "MLSERVER_DEBUG": "false",
        "MLSERVER_PARALLEL_WORKERS": "0",
        "MLSERVER_HOST": HOST,
        "MLSERVER_HTTP_PORT": str(start.ports.http),
        "MLSERVER_GRPC_PORT": str(start.ports.grpc),
        "MLSERVER_METRICS_PORT": str(start.ports.metrics),
        "MLSERVER_MODEL_NAME": start.model.name,
        "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_runtime.Runtime",
    }
    return _peer(start, "-m", "mlserver.cli.main", "start", str(PEERS), **settings)


def triton(start: Start) -> Command:
    """Triton's front end (pytriton)."""
    ports = ",".join(map(str, (start.ports.http, start.ports.grpc, start.ports.metrics)))
    # Its workers load libpython, which has to be that of the Python whose standard library they use.
    libraries = sysconfig.get_config_var("LIBDIR")
    given = {"BENCH_PORTS": ports, "BENCH_WORKERS": str(start.workers), "LD_LIBRARY_PATH": libraries}
    return _peer(start, str(PEERS / "triton_model.py"), **given)


def _peer(start: Start, *words: str, **environment: str) -> Command:
    told = {
        "PYTHONPATH": str(PEERS),
        "BENCH_MODEL": str(start.model.path.resolve()),
        "BENCH_NAME": start.model.name,
    }
    return Command((str(start.python), *words), {**told, **environment})


OURS = Server("modelserver", ROOT / "requirements/server.txt", ("score", "v2", "binary", "grpc"), modelserver)
UNBATCHED = Server("modelserver-unbatched", OURS.requirements, ("score",), unbatched)
ALL_PEERS = (
    Server("fastapi", PEERS / "fastapi.txt", ("score",), fastapi),
    Server("fastapi-orjson", PEERS / "fastapi.txt", ("score",), fastapi_orjson),
    Server("flask", PEERS / "flask.txt", ("score",), flask),
    Server("azureml", PEERS / "azureml.txt", ("score",), azureml),
    Server("kserve", PEERS / "kserve.txt", ("v1", "v2", "binary"), kserve),
    Server("mlserver", PEERS / "mlserver.txt", ("v2", "grpc"), mlserver),
    Server("triton", PEERS / "triton.txt", ("v2", "binary", "grpc"), triton, has_columns=True),
)
SERVERS = {server.name: server for server in (OURS, UNBATCHED, *ALL_PEERS)}
NO_PEERS = {OURS.name, UNBATCHED.name}
