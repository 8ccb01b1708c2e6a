"""What the service says to a request, official or deviant; knows nothing of connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tests.messages_body import count_input_tokens, prefill_of, without_prefill
from tests.messages_errors import Rejection
from tests.messages_models import (
    MODELS,
    Json,
    ServedModel,
    find_model,
    list_models,
    model_info,
    third_party_model,
)
from tests.messages_record import MESSAGES_PATH, RequestRecord
from tests.messages_replies import (
    Answer,
    bare_message,
    compose_message,
    echoed,
    in_a_fresh_turn,
    same_letter_each_time,
    without_constraints,
)
from tests.messages_rules import check_count, check_headers, check_leniently, check_message

MODELS_PATH: Final = "/v1/models"


@dataclass(kw_only=True, eq=False)
class Service:
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
    """Check next to nothing, ignore schemas and tools, leave out most fields, as llama.cpp does."""
    mistakes_as_500: bool = False
    """Answer with status 500 where 400 would be right, as llama.cpp does at times."""

    def respond(self, record: RequestRecord) -> Json:
        """The body of the response with status 200.

        Raises:
            Rejection: for every other status.
        """
        version = "" if self.bare else check_headers(record.headers, self.key)
        if record.method == "GET" and record.path.startswith(MODELS_PATH):
            return self._models(record)
        endpoints: dict[tuple[str, str], Callable[[RequestRecord, str], Json]] = {
            ("POST", MESSAGES_PATH): self._create_message,
            ("POST", f"{MESSAGES_PATH}/count_tokens"): self._count_tokens,
        }
        endpoint = endpoints.get((record.method, record.path))
        if endpoint is None:
            raise Rejection("Not found", status=404)
        return endpoint(record, version)

    @property
    def _any_prefill(self) -> bool:
        return self.echo_prefill or self.ignore_prefill

    def _create_message(self, record: RequestRecord, version: str) -> Json:
        body = record.body
        if self.bare:
            model = self._model_of_any_name(record)
            body = without_constraints(body)
        else:
            model = check_message(body, version, any_prefill=self._any_prefill)
        prefill = prefill_of(body)
        read = without_prefill(body) if self.ignore_prefill else body
        reply = self.answer(read)
        if self.ignore_prefill and prefill is not None:
            reply = in_a_fresh_turn(reply)
        message = compose_message(reply, read, model, number=record.number, style=self.style)
        if self.echo_prefill and prefill is not None:
            message = echoed(message, prefill)
        return bare_message(message) if self.bare else message

    def _count_tokens(self, record: RequestRecord, version: str) -> Json:
        if self.bare:
            model = self._model_of_any_name(record)
        else:
            model = check_count(record.body, version, any_prefill=self._any_prefill)
        return {"input_tokens": count_input_tokens(record.body, model)}

    def _model_of_any_name(self, record: RequestRecord) -> ServedModel:
        check_leniently(record.body)
        return third_party_model(str(record.body.get("model", "default")))

    def _models(self, record: RequestRecord) -> Json:
        name = record.path.removeprefix(MODELS_PATH).removeprefix("/")
        if self.bare:
            return _bare_models(name)
        if not name:
            _check_page(record.query)
            return list_models(record.query, newer_fields=self.newer_model_fields)
        model = find_model(name)
        if model is None:
            raise Rejection(f"model: {name}", status=404)
        return model_info(model, newer_fields=self.newer_model_fields)


def _bare_models(name: str) -> Json:
    if name:
        raise Rejection("File Not Found", status=404)
    return {"object": "list", "data": [{"id": "any", "object": "model", "owned_by": "test"}]}


def _check_page(query: Mapping[str, Sequence[str]]) -> None:
    limit = query.get("limit", ["20"])[0]
    if not limit.isdecimal() or not 1 <= int(limit) <= 1000:
        raise Rejection("limit: Input should be between 1 and 1000")
    known = {model.id for model in MODELS}
    for field in ("after_id", "before_id"):
        for name in query.get(field, ()):
            if name not in known:
                raise Rejection(f"{field}: unknown model {name}")
    for stage in query.get("lifecycle[]", ()):
        if stage not in ("active", "deprecated", "retired"):
            raise Rejection("lifecycle: Input should be 'active', 'deprecated' or 'retired'")
