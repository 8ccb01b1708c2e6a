"""A model together with the endpoint at which it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from evalkit.api.endpoint import Endpoint, endpoint_from_environment
from evalkit.errors import UsageError
from evalkit.models.catalogue import CAPABILITIES, find_model
from evalkit.models.local import identify_local_model, is_local, serve_local_model
from evalkit.models.model import EMBEDDED, FREE, Capabilities, Model


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
    facts: Model
    """What else the catalogue says: price, limits, lifecycle."""
    concurrency: int | None = None
    """Requests in flight at once, unless the user says otherwise; None: as many as it bears."""
    weights_digest: str | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether it runs on this machine, in evalkit's own engine."""
        return self.weights_digest is not None

    @property
    def has_batches(self) -> bool:
        """Whether batches may be tried: an embedded model has none."""
        return not self.is_embedded


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
    check_name(model)
    if is_local(model):
        with serve_local_model(model, say=say) as server:
            yield embedded_target(
                model, server.weights_sha256, server.engine, server.model, server.base_url
            )
        return
    yield remote_target(model, endpoint or endpoint_from_environment())


def outline_target(
    model: str, endpoint: Endpoint | None = None, *, say: Callable[[str], None]
) -> Target:
    """The same for a plan: nothing is fetched or started, and the key may be missing.

    Args:
        model: as for `open_target`.
        endpoint: None: what the environment names.
        say: takes a line of progress.

    Raises:
        UsageError: the name can't be one.
        LocalModelError: the file of an embedded model can't be used.
    """
    check_name(model)
    if is_local(model):
        return embedded_target(model, *identify_local_model(model, say=say))
    return remote_target(model, endpoint or endpoint_from_environment(need_key=False))


def check_name(model: str) -> None:
    """Refuse what can't be the name of a model.

    Raises:
        UsageError: it is empty, or holds signs that can't be printed.
    """
    if not model.strip() or not model.isprintable():
        raise UsageError(f"model {model!r}: expected a name such as claude-haiku-4-5")


def embedded_target(
    model: str,
    weights_digest: str,
    engine: str,
    wire_model: str | None = None,
    base_url: str = "http://127.0.0.1",
) -> Target:
    """An embedded model at its engine's address."""
    return Target(
        model=model,
        wire_model=wire_model or model,
        endpoint=Endpoint(base_url=base_url),
        host=engine,
        capabilities=EMBEDDED,
        facts=Model(id=model, capabilities=EMBEDDED, price=FREE),
        # One slot is fastest on a few cores: more would each compute a shared prefix.
        concurrency=1,
        weights_digest=weights_digest,
    )


def remote_target(model: str, endpoint: Endpoint) -> Target:
    """A model of an endpoint."""
    return Target(
        model=model,
        wire_model=model,
        endpoint=endpoint,
        host=endpoint.host,
        capabilities=known_capabilities(model, endpoint),
        facts=find_model(model),
    )


def known_capabilities(model: str, endpoint: Endpoint) -> Capabilities:
    """What is known before the first request: only the official API is as the catalogue says.

    Any other server may ignore a prefill or a schema in silence, whatever model stands behind it.
    What the user's own file says holds everywhere.
    """
    facts = find_model(model)
    known = facts.capabilities
    if endpoint.is_official or known.prefill is False:
        return known
    guess = replace(known, prefill=None, forced_tool=None, structured=None)
    said = {name: getattr(known, name) for name in facts.corrected & CAPABILITIES.keys()}
    return replace(guess, **said)
