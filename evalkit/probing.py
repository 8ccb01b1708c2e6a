"""Finding out how a model can be asked, with one request at most two or three."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from evalkit.api.retries import RetryPolicy, is_worth_retrying, send_with_retries
from evalkit.elicitation.asking import Asking
from evalkit.elicitation.choose import (
    IN_WORDS,
    Feature,
    build_probe,
    choose_way_of_several,
    continues_prefill,
    list_features,
    refused_feature,
    without,
)
from evalkit.errors import ApiError, InvalidRequestError, UsageError
from evalkit.models.findings import Findings
from evalkit.models.model import Capabilities
from evalkit.requests import Way
from evalkit.responses import Response
from evalkit.targets import Target

NEED_PREFILL = ("auto", "prefill")
"""Choices of a way for which it has to be known whether the model takes a prefill."""

MOST_ATTEMPTS = 6
"""Tries of a probe, some 15 seconds: an endpoint that never answered is not waited for longer."""

Send = Callable[[Mapping[str, Any]], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How a model will be asked."""

    way: Way
    asking: Asking
    reason: str
    """Why this way, for the manifest."""
    warning: str | None = None
    was_probed: bool = False
    """Whether the endpoint has answered a question just now."""


async def settle_way(
    target: Target,
    way: Way | Literal["auto"],
    asking: Asking,
    *,
    send: Send,
    policy: RetryPolicy,
    findings: Findings,
    several: int = 0,
) -> Settled:
    """Decide how to ask, with a probe where neither catalogue nor memory knows the model.

    Args:
        target: the model and its endpoint.
        way: the way asked for; "auto": prefill where the model takes it, else instructed.
        asking: how the model is to be asked; what it takes is filled in here.
        send: makes one attempt.
        policy: when to try again.
        findings: what earlier probes have shown; new findings are added.
        several: how many questions have several right choices; "auto" binds the reply then.

    Raises:
        UsageError: there are such questions, and the model takes no way that could answer them.
        ApiError: the probe was refused for another reason than a feature.
    """
    known = findings.add_to(target.capabilities, target.model, target.host)
    reason = "known" if known == target.capabilities else "found out before"
    asking = replace(asking, capabilities=known)
    was_probed, is_auto = False, way == "auto"
    if way == "auto" and several:
        way = choose_bound(target.model, known, several)
    unsure_of_temperature = asking.temperature is not None and known.temperature is None
    if (way in NEED_PREFILL and known.prefill is None) or unsure_of_temperature:
        known = await probe(asking, way, send, policy)
        findings.remember(known, target.model, target.host)
        asking = replace(asking, capabilities=known)
        reason = "found out by a probe"
        was_probed = True
    warning = None
    if asking.effort is not None and known.efforts == ():
        warning = f"{target.model} takes no effort ({reason}); it is asked without {asking.effort}"
    if is_auto and way != "auto":
        why = f"auto: several choices may be right ({several} questions)"
        return Settled(way=way, asking=asking, reason=why, warning=warning, was_probed=was_probed)
    if way == "auto":
        words = "takes a prefill" if known.prefill else "takes no prefill"
        settled: Way = "prefill" if known.prefill else "instructed"
        why = f"auto: {words} ({reason})"
        return Settled(
            way=settled, asking=asking, reason=why, warning=warning, was_probed=was_probed
        )
    # What the catalogue says of the official API, the API will say itself.
    if way == "prefill" and known.prefill is False and reason != "known":
        warning = f"{target.model} takes no prefill ({reason}); --way auto would ask otherwise"
    return Settled(
        way=way, asking=asking, reason="asked for", warning=warning, was_probed=was_probed
    )


def choose_bound(model: str, known: Capabilities, several: int) -> Way:
    """The way for questions of which some have several right choices.

    Raises:
        UsageError: the model takes none.
    """
    way = choose_way_of_several(known)
    if way is None:
        raise UsageError(
            f"{several} questions have several right choices, but {model} takes neither a "
            "schema nor a forced tool, by which they are answered"
        )
    return way


def telling(send: Send, say: Callable[[str], None]) -> Send:
    """Make attempts as another does, and say of the first that failed that there will be more."""
    has_said = False

    async def send_and_tell(body: Mapping[str, Any]) -> Response:
        nonlocal has_said
        try:
            return await send(body)
        except ApiError as error:
            if is_worth_retrying(error) and not has_said:
                has_said = True
                say(f"{error.message}; trying again")
            raise

    return send_and_tell


async def probe(
    asking: Asking, way: Way | Literal["auto"], send: Send, policy: RetryPolicy
) -> Capabilities:
    """Ask one easy question, again without each feature that is refused.

    Raises:
        ApiError: the question was refused for another reason, or not answered, or a prefill is
            refused that was asked for.
    """
    with_prefill = way in NEED_PREFILL
    policy = replace(policy, attempts=min(policy.attempts, MOST_ATTEMPTS))
    while True:
        body = build_probe(asking, with_prefill=with_prefill)
        result, _ = await send_with_retries(lambda body=body: send(body), policy)  # type: ignore[misc]
        if isinstance(result, Response):
            break
        feature = refused_feature(result, list_features(body))
        if feature is None:
            raise result
        if feature == way:
            raise cannot_be_asked(result, asking.model, "prefill")
        known = without(asking.capabilities, feature, result, body)
        asking = replace(asking, capabilities=known)
        with_prefill = with_prefill and feature != "prefill"
    found = asking.capabilities
    if found.temperature is None and "temperature" in body:
        found = replace(found, temperature=True)
    if with_prefill:
        found = replace(found, prefill=continues_prefill(result))
    return found


def cannot_be_asked(error: ApiError, model: str, feature: Feature) -> InvalidRequestError:
    """The error for a user who named a way of asking that a model refuses."""
    takes_no = f"{model} takes no {IN_WORDS[feature]}"
    text = f"{takes_no}; use --way auto or --way instructed ({error.message})"
    return InvalidRequestError(text, status=error.status, request_id=error.request_id)
