"""The service's way of saying no."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from evalkit.testing.messages_models import Json

ERROR_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


class Rejection(Exception):
    """A request that the service refuses, with the status and the words that it has for it."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        error_type: str | None = None,
        details: Json | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.details = message, status, details
        self.error_type = error_type or ERROR_TYPES[status]

    def official_body(self, request_id: str | None) -> Json:
        """The body as the official service has it; without a request id inside of a batch."""
        error: Json = {"type": self.error_type, "message": self.message}
        if self.details is not None:
            error["details"] = self.details
        return {"type": "error", "error": error, "request_id": request_id}

    def bare_body(self) -> Json:
        """The body as third-party servers have it: no outer type, no request id."""
        kind = "server_error" if self.status == 500 else self.error_type
        return {"error": {"code": self.status, "message": self.message, "type": kind}}


def unknown_tag(place: str, tag: object, expected: Iterable[str]) -> Rejection:
    """A `type` that is not one of the expected."""
    tags = ", ".join(f"'{name}'" for name in expected)
    return Rejection(
        f"{place}: Input tag '{tag}' found using 'type' does not match any of the expected tags: "
        f"{tags}"
    )
