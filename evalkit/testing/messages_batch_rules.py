"""What the service checks before it takes a batch; the rest is checked later."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from evalkit.testing.messages_errors import Rejection
from evalkit.testing.messages_models import Json

_CUSTOM_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_FORBIDDEN_PARAMS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "stream": bool,
    "speed": lambda value: value is not None,
    "max_tokens": lambda value: value == 0 and not isinstance(value, bool),
    "fallbacks": lambda value: value is not None,
}


def check_batch(body: Mapping[str, Any], most: int) -> dict[str, Json]:
    """Check the body of `POST /v1/messages/batches`.

    Args:
        body: the body.
        most: how many requests a batch may have.

    Returns:
        The parameters of each request by its custom id.

    Raises:
        Rejection: for a batch that is not taken.
    """
    for extra in body.keys() - {"requests"}:
        raise Rejection(f"{extra}: Extra inputs are not permitted")
    if not isinstance(body.get("requests"), list):
        raise Rejection("requests: Field required")
    count = len(body["requests"])
    if count == 0:
        raise Rejection("requests: List should have at least 1 item after validation, not 0")
    if count > most:
        raise Rejection(
            f"requests: List should have at most {most} items after validation, not {count}"
        )
    requests: dict[str, Json] = {}
    for index, request in enumerate(body["requests"]):
        custom_id, params = _check_request(f"requests.{index}", request)
        if custom_id in requests:
            raise Rejection(f"requests.{index}.custom_id: `{custom_id}` is not unique")
        requests[custom_id] = params
    return requests


def _check_request(place: str, request: object) -> tuple[str, Json]:
    if not isinstance(request, dict):
        raise Rejection(f"{place}: Input should be a valid dictionary")
    for missing in ("custom_id", "params"):
        if missing not in request:
            raise Rejection(f"{place}.{missing}: Field required")
    for extra in request.keys() - {"custom_id", "params"}:
        raise Rejection(f"{place}.{extra}: Extra inputs are not permitted")
    custom_id, params = request["custom_id"], request["params"]
    if not isinstance(custom_id, str) or not _CUSTOM_ID.fullmatch(custom_id):
        raise Rejection(f"{place}.custom_id: String should match pattern '^{_CUSTOM_ID.pattern}$'")
    if not isinstance(params, dict):
        raise Rejection(f"{place}.params: Input should be a valid dictionary")
    for name, is_forbidden in _FORBIDDEN_PARAMS.items():
        if name in params and is_forbidden(params[name]):
            raise Rejection(f"{place}.params.{name}: not supported in a batch")
    return custom_id, params
