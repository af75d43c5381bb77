"""The methods that can be called: the Open Inference Protocol's, those of Triton's extensions, and gRPC's own for
health and reflection.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.message import DecodeError, Message

from modelserver import __version__
from modelserver.errors import BadRequest, Error, ModelNotFound, Unavailable
from modelserver.grpc import dialect, reflection
from modelserver.grpc import inference_pb2 as messages
from modelserver.grpc.health_pb2 import HealthCheckRequest, HealthCheckResponse
from modelserver.grpc.message import Reply
from modelserver.grpc.raw import understood
from modelserver.management import descriptions
from modelserver.management.routes import check_parameters
from modelserver.protocols import oip
from modelserver.service import DEFECT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from modelserver.auth.authenticator import Authenticator
    from modelserver.grpc.connection import Streaming, Unary
    from modelserver.grpc.message import Call
    from modelserver.loading.loader import Loader
    from modelserver.service import InferenceService

    Asked = TypeVar("Asked", bound=Message)
    Answer = Message | Awaitable[Message]

log = logging.getLogger(__name__)

INFERENCE = "inference.GRPCInferenceService"
HEALTH = "grpc.health.v1.Health"
REFLECTION = "grpc.reflection.v1.ServerReflection"
SERVICES = (INFERENCE, HEALTH, REFLECTION)
# The same under the name that older clients ask for.
REFLECTIONS = (REFLECTION, "grpc.reflection.v1alpha.ServerReflection")


class Methods:
    """What each method does. Probes may call those that tell how the server is without proving who they are.

    `is_ready` says whether requests should be sent here.
    """

    def __init__(
        self,
        service: InferenceService,
        loader: Loader,
        is_ready: Callable[[], bool],
        authenticator: Authenticator | None,
    ) -> None:
        self._service = service
        self._models = service.models
        self._loader = loader
        self._is_ready = is_ready
        self._authenticator = authenticator
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps no task alive

    def unary(self) -> dict[str, Unary]:
        """The methods that take one message, by path."""
        open_to_all = {
            f"/{HEALTH}/Check": self._method(HealthCheckRequest, self._check),
            f"/{INFERENCE}/ServerLive": self._method(messages.ServerLiveRequest, self._live),
            f"/{INFERENCE}/ServerReady": self._method(messages.ServerReadyRequest, self._ready),
            f"/{INFERENCE}/ModelReady": self._method(messages.ModelReadyRequest, self._model_ready),
        }
        for_callers = {
            "ServerMetadata": self._method(messages.ServerMetadataRequest, self._metadata),
            "ModelMetadata": self._method(messages.ModelMetadataRequest, self._model_metadata),
            "ModelInfer": self._infer,
            "ModelConfig": self._method(messages.ModelConfigRequest, self._config),
            "ModelStatistics": self._method(messages.ModelStatisticsRequest, self._statistics),
            "RepositoryIndex": self._method(messages.RepositoryIndexRequest, self._index),
            "RepositoryModelLoad": self._method(messages.RepositoryModelLoadRequest, self._load),
            "RepositoryModelUnload": self._method(messages.RepositoryModelUnloadRequest, self._unload),
        }
        return open_to_all | {
            f"/{INFERENCE}/{name}": self._checked(method) for name, method in for_callers.items()
        }

    def streaming(self) -> dict[str, Streaming]:
        """The methods that answer each message of a stream, by path."""
        return {f"/{name}/ServerReflectionInfo": reflection.answering(SERVICES) for name in REFLECTIONS}

    def _checked(self, method: Unary) -> Unary:
        """`method` for callers that prove who they are."""
        authenticator = self._authenticator
        if not authenticator:
            return method

        def answer(call: Call, reply: Callable[[Reply], None]) -> None:
            try:
                authenticator.check(call.headers)
            except Error as error:
                reply(Reply.refusal(error))
            else:
                method(call, reply)

        return answer

    def _method(self, kind: type[Asked], handle: Callable[[Asked], Answer]) -> Unary:
        """A method that answers a message of `kind` with what `handle` makes of it, now or later."""

        def answer(call: Call, reply: Callable[[Reply], None]) -> None:
            try:
                found = handle(_read(kind, call))
            except Exception as error:
                reply(_refusal(error))
                return
            if isinstance(found, Message):
                reply(Reply([found.SerializeToString()]))
                return
            task = asyncio.ensure_future(_answer_later(found, reply))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return answer

    # Inference

    def _infer(self, call: Call, reply: Callable[[Reply], None]) -> None:
        try:
            message, call.raw = understood(call.body)
        except DecodeError as mistake:
            error = _mistaken(messages.ModelInferRequest, mistake)
            self._service.meter(None, dialect.NAME, call).answered(error.status, 0.0, len(call.body), 0)
            reply(Reply.refusal(error))
            return
        call.message = message
        name, version = message.model_name or None, message.model_version or None
        self._service.infer(dialect, call, name, version, len(call.body)).then(reply)

    # Health and metadata

    def _check(self, asked: HealthCheckRequest) -> HealthCheckResponse:
        if asked.service and asked.service not in SERVICES:
            raise ModelNotFound(f"there is no service '{asked.service}' here; there is {', '.join(SERVICES)}")
        ready = self._is_ready()
        return HealthCheckResponse(
            status=HealthCheckResponse.SERVING if ready else HealthCheckResponse.NOT_SERVING
        )

    def _live(self, _: messages.ServerLiveRequest) -> messages.ServerLiveResponse:
        return messages.ServerLiveResponse(live=True)

    def _ready(self, _: messages.ServerReadyRequest) -> messages.ServerReadyResponse:
        return messages.ServerReadyResponse(ready=self._is_ready())

    def _model_ready(self, asked: messages.ModelReadyRequest) -> messages.ModelReadyResponse:
        """Clients wait with this for models that are yet to be loaded, so there is none that is not found."""
        try:
            self._models.find(asked.name, asked.version or None)
        except (ModelNotFound, Unavailable):
            return messages.ModelReadyResponse(ready=False)
        return messages.ModelReadyResponse(ready=True)

    def _metadata(self, _: messages.ServerMetadataRequest) -> messages.ServerMetadataResponse:
        return messages.ServerMetadataResponse(
            name="modelserver", version=__version__, extensions=descriptions.EXTENSIONS
        )

    def _model_metadata(self, asked: messages.ModelMetadataRequest) -> messages.ModelMetadataResponse:
        model = self._models.find(asked.name, asked.version or None)
        metadata: dict[str, Any] = oip.metadata(model, self._models.versions(model.name))
        return messages.ModelMetadataResponse(**metadata)

    # Triton's extensions

    def _config(self, asked: messages.ModelConfigRequest) -> messages.ModelConfigResponse:
        model = self._models.find(asked.name, asked.version or None)
        return messages.ModelConfigResponse(config=descriptions.configuration(model))

    def _statistics(self, asked: messages.ModelStatisticsRequest) -> messages.ModelStatisticsResponse:
        name, version = asked.name or None, asked.version or None
        found = descriptions.statistics(self._models, self._service.metrics, name, version)
        return messages.ModelStatisticsResponse(model_stats=found)

    async def _index(self, asked: messages.RepositoryIndexRequest) -> messages.RepositoryIndexResponse:
        await self._loader.look()
        return messages.RepositoryIndexResponse(models=descriptions.index(self._models, only_ready=asked.ready))

    async def _load(self, asked: messages.RepositoryModelLoadRequest) -> messages.RepositoryModelLoadResponse:
        check_parameters(asked.parameters)
        await self._loader.load(asked.model_name)
        return messages.RepositoryModelLoadResponse()

    async def _unload(
        self, asked: messages.RepositoryModelUnloadRequest
    ) -> messages.RepositoryModelUnloadResponse:
        check_parameters(asked.parameters)
        await self._loader.unload(asked.model_name)
        return messages.RepositoryModelUnloadResponse()


def _read(kind: type[Asked], call: Call) -> Asked:
    """The message that `call` carries. Raises BadRequest."""
    try:
        return kind.FromString(bytes(call.body))
    except DecodeError as error:
        raise _mistaken(kind, error) from None


def _mistaken(kind: type[Message], error: DecodeError) -> BadRequest:
    return BadRequest(f"the message is not a {kind.DESCRIPTOR.full_name}: {error}")


async def _answer_later(found: Awaitable[Message], reply: Callable[[Reply], None]) -> None:
    try:
        answer = Reply([(await found).SerializeToString()])
    except Exception as error:
        answer = _refusal(error)
    reply(answer)


def _refusal(error: Exception) -> Reply:
    """What to answer to what was raised, and caught just now; what was not meant to be raised is logged."""
    if not isinstance(error, Error):
        log.error("a call met a defect of the server", exc_info=error)
        error = Error(DEFECT)
    return Reply.refusal(error)
