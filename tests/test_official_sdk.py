"""The official SDK gets from the test server what it gets from the service.

So the server keeps to more than our own reading of the documentation: the SDK builds the requests
here, and reads the responses into its own types.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import anthropic
import pytest
from anthropic.types import (
    FileExpiredError,
    FileNotDownloadableError,
    ImageDimensionsTooLargeError,
    MessageParam,
    OutputConfigParam,
    StorageQuotaExceededError,
)
from anthropic.types.messages.batch_create_params import Request
from PIL import Image

from evalkit.testing.messages_batches import BatchFault
from evalkit.testing.messages_replies import key_answers
from evalkit.testing.messages_server import MessagesServer

MODEL = "claude-haiku-4-5"
PREFILL: MessageParam = {"role": "assistant", "content": "The answer is ("}
ANT: MessageParam = {
    "role": "user",
    "content": "What is latin for Ant? (A) Apoidea, (B) Rhopalocera, (C) Formicidae",
}
LETTER: OutputConfigParam = {
    "format": {
        "type": "json_schema",
        "schema": {
            "type": "object",
            "properties": {"answer": {"type": "string", "enum": ["A", "B", "C"]}},
            "required": ["answer"],
            "additionalProperties": False,
        },
    }
}
PLAN: dict[str, BatchFault] = {"late": "expired", "stopped": "canceled", "busy": "overloaded"}


def fault(custom_id: str, batch_number: int) -> BatchFault | None:
    return PLAN.get(custom_id)


@pytest.fixture
def server() -> Iterator[MessagesServer]:
    answer = key_answers({"What is latin for Ant?": "C"})
    with MessagesServer(answer=answer, batch_seconds=None, batch_fault=fault) as opened:
        yield opened


@pytest.fixture
def client(server: MessagesServer) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=server.key, base_url=server.base_url, max_retries=0) as opened:
        yield opened


def request(custom_id: str, model: str = MODEL) -> Request:
    return {
        "custom_id": custom_id,
        "params": {"model": model, "max_tokens": 1, "messages": [ANT, PREFILL]},
    }


def picture(width: int = 200) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (width, 200)).save(content, "PNG")
    return content.getvalue()


def text_of(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


# Messages


def test_it_creates_a_message(server: MessagesServer, client: anthropic.Anthropic) -> None:
    message = client.messages.create(model=MODEL, max_tokens=1, messages=[ANT, PREFILL])
    assert (text_of(message), message.stop_reason) == ("C", "max_tokens")
    (asked,) = server.requests
    assert asked.headers["authorization"] == f"Bearer {server.key}"
    assert asked.headers["anthropic-version"] == "2026-10-21"
    assert "x-api-key" not in asked.headers


def test_it_counts_what_a_message_costs(client: anthropic.Anthropic) -> None:
    counted = client.messages.count_tokens(model=MODEL, messages=[ANT], output_config=LETTER)
    message = client.messages.create(
        model=MODEL, max_tokens=32, messages=[ANT], output_config=LETTER
    )
    assert text_of(message) == '{"answer":"C"}'
    assert message.usage.input_tokens == counted.input_tokens


def test_it_lists_and_retrieves_models(client: anthropic.Anthropic) -> None:
    listed = list(client.models.list(limit=5))
    assert len(listed) > 5
    assert client.models.retrieve(MODEL) in listed
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("claude-nope")


def test_it_reads_what_was_cached(client: anthropic.Anthropic) -> None:
    usages = [
        client.messages.create(
            model="claude-opus-5",
            max_tokens=5,
            thinking={"type": "disabled"},
            system="ant " * 600,
            messages=[ANT],
            cache_control={"type": "ephemeral", "ttl": "1h"},
        ).usage
        for _ in "12"
    ]
    first, second = usages
    assert first.cache_creation is not None
    written = first.cache_creation.ephemeral_1h_input_tokens
    assert written > 512
    assert (first.cache_creation_input_tokens, first.cache_read_input_tokens) == (written, 0)
    assert (second.cache_creation_input_tokens, second.cache_read_input_tokens) == (0, written)
    assert first.input_tokens == second.input_tokens == 0


# Files


def test_it_uploads_names_and_deletes_files(client: anthropic.Anthropic) -> None:
    content = picture()
    file = client.files.upload(file=("q1.png", content, "image/png"), expires_in_seconds=3600)
    assert (file.filename, file.mime_type, file.size_bytes) == ("q1.png", "image/png", len(content))
    assert file.downloadable is False
    assert file.expires_at is not None
    assert client.files.retrieve_metadata(file.id) == file
    named: MessageParam = {
        "role": "user",
        "content": [{"type": "image", "source": {"type": "file", "file_id": file.id}}],
    }
    inline: MessageParam = {
        "role": "user",
        "content": [
            {
                "type": "image",
                "source": {
                    "type": "base64",
                    "media_type": "image/png",
                    "data": base64.b64encode(content).decode(),
                },
            }
        ],
    }
    counts = {
        client.messages.count_tokens(model=MODEL, messages=[turn]).input_tokens
        for turn in (named, inline)
    }
    assert len(counts) == 1
    with pytest.raises(FileNotDownloadableError):
        client.files.download(file.id)
    assert client.files.delete(file.id).type == "file_deleted"
    with pytest.raises(anthropic.NotFoundError, match="not found"):
        client.files.retrieve_metadata(file.id)


def test_it_lists_files(client: anthropic.Anthropic) -> None:
    ids = [client.files.upload(file=(f"{n}.png", b"x", "image/png")).id for n in range(5)]
    assert [file.id for file in client.files.list(limit=2)] == ids[::-1]
    chosen = client.files.list(ids=[ids[1], ids[3], "file_unknown"])
    assert [file.id for file in chosen] == [ids[3], ids[1]]


def test_it_knows_the_old_lists_of_files(client: anthropic.Anthropic) -> None:
    ids = [client.files.upload(file=(f"{n}.png", b"x", "image/png")).id for n in range(3)]
    beta = client.with_options(default_headers={"anthropic-beta": "files-api-2025-04-14"})
    listed = beta.get("/v1/files", cast_to=object)
    assert isinstance(listed, dict)
    assert [file["id"] for file in listed["data"]] == ids[::-1]
    assert (listed["first_id"], listed["last_id"], listed["has_more"]) == (ids[2], ids[0], False)


def test_it_knows_why_a_file_can_not_be_stored() -> None:
    with (
        MessagesServer(max_storage_bytes=1) as server,
        anthropic.Anthropic(api_key=server.key, base_url=server.base_url) as client,
        pytest.raises(StorageQuotaExceededError),
    ):
        client.files.upload(file=("a.png", b"xx", "image/png"))


def test_it_knows_why_a_file_can_not_be_read(
    server: MessagesServer, client: anthropic.Anthropic
) -> None:
    def ask_about(file_id: str) -> None:
        turn: MessageParam = {
            "role": "user",
            "content": [{"type": "image", "source": {"type": "file", "file_id": file_id}}],
        }
        client.messages.create(model=MODEL, max_tokens=1, messages=[turn])

    large = client.files.upload(file=("large.png", picture(8001), "image/png"))
    with pytest.raises(ImageDimensionsTooLargeError) as caught:
        ask_about(large.id)
    assert caught.value.details.paths == ["messages.0.content.0"]
    server.files.expire(large.id)
    with pytest.raises(FileExpiredError):
        ask_about(large.id)


# Batches


def test_it_follows_a_batch_to_its_results(
    server: MessagesServer, client: anthropic.Anthropic
) -> None:
    requests = [request(name) for name in ("good", *PLAN)]
    batch = client.messages.batches.create(requests=[*requests, request("bad", "claude-opus-5")])
    assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 5)
    with pytest.raises(anthropic.AnthropicError, match="No `results_url`"):
        client.messages.batches.results(batch.id)
    server.end_batches()
    ended = client.messages.batches.retrieve(batch.id)
    assert ended.processing_status == "ended"
    assert ended.request_counts.model_dump() == {
        "processing": 0,
        "succeeded": 1,
        "errored": 2,
        "canceled": 1,
        "expired": 1,
    }
    results = {line.custom_id: line.result for line in client.messages.batches.results(batch.id)}
    good, bad, busy = results["good"], results["bad"], results["busy"]
    assert good.type == "succeeded"
    assert (text_of(good.message), good.message.usage.service_tier) == ("C", "batch")
    assert bad.type == "errored"
    assert bad.error.error.type == "invalid_request_error"
    assert "prefill" in bad.error.error.message
    assert busy.type == "errored"
    assert busy.error.error.type == "overloaded_error"
    assert (results["late"].type, results["stopped"].type) == ("expired", "canceled")


def test_it_lists_cancels_and_deletes_batches(client: anthropic.Anthropic) -> None:
    batches = client.messages.batches
    ids = [batches.create(requests=[request("q")]).id for _ in range(5)]
    assert [batch.id for batch in batches.list(limit=2)] == ids[::-1]
    with pytest.raises(anthropic.BadRequestError):
        batches.delete(ids[0])
    canceling = batches.cancel(ids[0])
    assert canceling.processing_status == "canceling"
    assert canceling.cancel_initiated_at is not None
    ended = batches.retrieve(ids[0])
    assert (ended.processing_status, ended.request_counts.canceled) == ("ended", 1)
    (line,) = batches.results(ids[0])
    assert line.result.type == "canceled"
    assert batches.delete(ids[0]).type == "message_batch_deleted"
    with pytest.raises(anthropic.NotFoundError):
        batches.retrieve(ids[0])
