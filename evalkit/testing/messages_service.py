"""What the service says to a request, official or deviant; knows nothing of connections."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from evalkit.testing.messages_batches import BatchDesk
from evalkit.testing.messages_body import Body, prefill_of, without_prefill
from evalkit.testing.messages_caching import PromptCache, billed
from evalkit.testing.messages_errors import Rejection
from evalkit.testing.messages_files import FileDesk
from evalkit.testing.messages_models import (
    Json,
    ServedModel,
    find_model,
    list_models,
    model_info,
    third_party_model,
)
from evalkit.testing.messages_paging import page_of
from evalkit.testing.messages_record import BATCHES_PATH, FILES_PATH, MESSAGES_PATH, RequestRecord
from evalkit.testing.messages_replies import (
    Answer,
    bare_message,
    compose_message,
    echoed,
    in_a_fresh_turn,
    oddly_cased,
    same_letter_each_time,
    without_constraints,
)
from evalkit.testing.messages_rules import (
    check_count,
    check_headers,
    check_leniently,
    check_message,
)
from evalkit.testing.messages_tokens import count_input_tokens

MODELS_PATH: Final = "/v1/models"


@dataclass(kw_only=True, eq=False)
class Service(BatchDesk, FileDesk):
    """The endpoints and the ways in which they may deviate from the official ones."""

    answer: Answer = same_letter_each_time
    """What the model says to a request."""
    style: str = "{letter}"
    """How a fresh turn says a letter, such as "The answer is ({letter})."."""
    key: str = "test-key"
    newer_model_fields: bool = True
    """False for `/v1/models` as it was in August 2026."""
    echo_prefill: bool = False
    """Begin the reply with the prefill, which every model takes, as llama.cpp does."""
    ignore_prefill: bool = False
    """Reply to a prefill with a fresh turn, whatever the model, as vLLM does."""
    bare: bool = False
    """Check next to nothing, ignore schemas and tools, leave out most fields, as llama.cpp does;
    and have neither batches nor files."""
    mistakes_as_500: bool = False
    """Answer with status 500 where 400 would be right, as llama.cpp does at times."""
    odd_casing: bool = False
    """Say the letter in the other case wherever a schema or a forced tool binds it."""
    zero_retention: bool = False
    """Refuse what an organization without data retention can't have: Fable and Mythos models,
    batches, files."""
    _cache: PromptCache = field(init=False, default_factory=PromptCache)

    def respond(self, record: RequestRecord) -> Json | bytes:
        """The body of the response with status 200: JSON, or lines of JSON.

        Raises:
            Rejection: for every other status.
        """
        version = "" if self.bare else check_headers(record.headers, self.key)
        if record.method == "GET" and _is_below(MODELS_PATH, record.path):
            return self._models(record)
        if record.method == "POST" and record.path == MESSAGES_PATH:
            return self._create_message(record, version)
        if record.method == "POST" and record.path == f"{MESSAGES_PATH}/count_tokens":
            return self._count_tokens(record, version)
        if _is_below(BATCHES_PATH, record.path) and not self.bare:
            self._check_retention("Message Batches")
            return self.respond_about_batches(record, version)
        if _is_below(FILES_PATH, record.path) and not self.bare:
            self._check_retention("Files")
            return self.respond_about_files(record)
        raise Rejection("Not found", status=404)

    def _check_retention(self, thing: str) -> None:
        if self.zero_retention:
            raise Rejection(f"{thing}: not available to organizations with zero data retention.")

    def _check_retention_for(self, model: ServedModel) -> None:
        if model.line in ("fable", "mythos"):
            self._check_retention(model.id)

    def answer_in_batch(self, params: Json, version: str, *, number: int, arrived: float) -> Json:
        """The message that answers one request of a batch."""
        message = self._message(params, version, number=number, arrived=arrived)
        return {**message, "usage": message["usage"] | {"service_tier": "batch"}}

    @property
    def _any_prefill(self) -> bool:
        return self.echo_prefill or self.ignore_prefill

    def _create_message(self, record: RequestRecord, version: str) -> Json:
        number, arrived = record.number, record.arrived
        if self.bare:
            model = self._model_of_any_name(record)
            body = without_constraints(record.body)
            return bare_message(self._compose(body, model, number=number, arrived=arrived))
        return self._message(record.body, version, number=number, arrived=arrived)

    def _message(self, body: Body, version: str, *, number: int, arrived: float) -> Json:
        body = self.with_files(body)
        model = check_message(body, version, any_prefill=self._any_prefill)
        self._check_retention_for(model)
        return self._compose(body, model, number=number, arrived=arrived)

    def _compose(self, body: Body, model: ServedModel, *, number: int, arrived: float) -> Json:
        prefill = prefill_of(body)
        read = without_prefill(body) if self.ignore_prefill else body
        reply = self.answer(read)
        if self.ignore_prefill and prefill is not None:
            reply = in_a_fresh_turn(reply)
        if self.odd_casing:
            reply = oddly_cased(reply, read)
        message = compose_message(reply, read, model, number=number, style=self.style)
        if reply.input_tokens is None and reply.cache_read_tokens == 0:
            finished = time.monotonic()
            use = self._cache.use(read, model, arrived=arrived, finished=finished)
            message = billed(message, use)
        if self.echo_prefill and prefill is not None:
            message = echoed(message, prefill)
        return message

    def _count_tokens(self, record: RequestRecord, version: str) -> Json:
        if self.bare:
            body, model = record.body, self._model_of_any_name(record)
        else:
            body = self.with_files(record.body)
            model = check_count(body, version, any_prefill=self._any_prefill)
            self._check_retention_for(model)
        return {"input_tokens": count_input_tokens(body, model)}

    def _model_of_any_name(self, record: RequestRecord) -> ServedModel:
        check_leniently(record.body)
        return third_party_model(str(record.body.get("model", "default")))

    def _models(self, record: RequestRecord) -> Json:
        name = record.path.removeprefix(MODELS_PATH).removeprefix("/")
        if self.bare:
            return _bare_models(name)
        if not name:
            _check_stages(record.query)
            rows = list_models(record.query, newer_fields=self.newer_model_fields)
            return page_of(rows, record.query)
        model = find_model(name)
        if model is None:
            raise Rejection(f"model: {name}", status=404)
        return model_info(model, newer_fields=self.newer_model_fields)


def _is_below(root: str, path: str) -> bool:
    return path == root or path.startswith(f"{root}/")


def _bare_models(name: str) -> Json:
    if name:
        raise Rejection("File Not Found", status=404)
    return {"object": "list", "data": [{"id": "any", "object": "model", "owned_by": "test"}]}


def _check_stages(query: Mapping[str, Sequence[str]]) -> None:
    for stage in query.get("lifecycle[]", ()):
        if stage not in ("active", "deprecated", "retired"):
            raise Rejection("lifecycle: Input should be 'active', 'deprecated' or 'retired'")
