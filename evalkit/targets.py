"""A model together with the endpoint at which it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from evalkit.api.endpoint import Endpoint, endpoint_from_environment
from evalkit.errors import UsageError
from evalkit.models.local import is_local, serve_local_model
from evalkit.models.model import EMBEDDED, Capabilities, find_capabilities

DEFAULT_CONCURRENCY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A model that can be asked now."""

    model: str
    """As the user calls it."""
    wire_model: str
    """As its endpoint calls it."""
    endpoint: Endpoint
    host: str
    """What a manifest says of the endpoint: its host, or the embedded engine."""
    capabilities: Capabilities
    """What the catalogue says; it describes the official API, so elsewhere only a guess."""
    concurrency: int = DEFAULT_CONCURRENCY
    """Requests in flight at once, unless the user says otherwise."""
    weights_digest: str | None = None


@contextmanager
def open_target(
    model: str, endpoint: Endpoint | None = None, *, say: Callable[[str], None]
) -> Iterator[Target]:
    """Make a model ready to be asked; an embedded one is started, and stopped at the end.

    Args:
        model: a model of the endpoint, or an embedded one such as `local/smollm2-135m`.
        endpoint: None: what the environment names. Embedded models need none.
        say: takes a line of progress.

    Raises:
        UsageError: the name can't be one, or there is no key for the official API.
        LocalModelError: an embedded model's weights or engine can't be had.
    """
    if not model.strip() or not model.isprintable():
        raise UsageError(f"model {model!r}: expected a name such as claude-haiku-4-5")
    if is_local(model):
        with serve_local_model(model, say=say) as server:
            yield Target(
                model=model,
                wire_model=server.model,
                endpoint=Endpoint(base_url=server.base_url),
                host=server.engine,
                capabilities=EMBEDDED,
                # One slot is fastest on a few cores: more would each compute a shared prefix.
                concurrency=1,
                weights_digest=server.weights_sha256,
            )
        return
    endpoint = endpoint or endpoint_from_environment()
    yield Target(
        model=model,
        wire_model=model,
        endpoint=endpoint,
        host=endpoint.host,
        capabilities=known_capabilities(model, endpoint),
    )


def known_capabilities(model: str, endpoint: Endpoint) -> Capabilities:
    """What is known before the first request: only the official API is as the catalogue says.

    Any other server may ignore a prefill in silence, whatever model stands behind it.
    """
    known = find_capabilities(model)
    if endpoint.is_official or known.prefill is False:
        return known
    return Capabilities(temperature=known.temperature, thinking=known.thinking)
