"""Where requests go, and with which key."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from evalkit.errors import UsageError

OFFICIAL_URL = "https://api.anthropic.com"
API_VERSION = "2023-06-01"
"""The later version, 2026-10-21, refuses `temperature` for every model."""
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
MASK = "***"
SHORTEST_SECRET = 8
"""Shorter keys are dummies such as `ollama`; masking them would garble messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address that speaks the Messages API.

    Example:
        >>> Endpoint(base_url="http://127.0.0.1:8080/v1/", api_key="secret")
        Endpoint(base_url='http://127.0.0.1:8080', version='2023-06-01', timeout_seconds=120.0)
    """

    base_url: str = OFFICIAL_URL
    """Without `/v1`."""
    api_key: str | None = field(default=None, repr=False)
    """Sent as `x-api-key`."""
    auth_token: str | None = field(default=None, repr=False)
    """Sent as `Authorization: Bearer`, if there is no key."""
    version: str = API_VERSION
    """Sent as `anthropic-version`."""
    timeout_seconds: float = 120.0
    """How long one attempt may take."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", normalize_url(self.base_url))
        object.__setattr__(self, "api_key", check_key(self.api_key))
        object.__setattr__(self, "auth_token", check_key(self.auth_token))
        if not VERSION.fullmatch(self.version):
            raise UsageError(f"API version {self.version!r}: expected a date such as {API_VERSION}")
        if not self.timeout_seconds > 0:
            raise UsageError(f"timeout {self.timeout_seconds:g} s: expected more than 0")

    @property
    def host(self) -> str:
        """Host, port and path, for manifests and messages."""
        return self.base_url.partition("://")[2]

    @property
    def is_official(self) -> bool:
        """Whether this is the API that the catalogue of models describes."""
        return self.base_url == OFFICIAL_URL

    @property
    def lacks_key(self) -> bool:
        """Whether it won't answer for want of a key."""
        return self.is_official and not (self.api_key or self.auth_token)

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        return urlsplit(self.base_url).hostname in LOOPBACK

    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        headers = {"anthropic-version": self.version, "content-type": "application/json"}
        if self.api_key:
            headers["x-api-key"] = self.api_key
        elif self.auth_token:
            headers["authorization"] = f"Bearer {self.auth_token}"
        return headers

    def mask(self, text: str) -> str:
        """A text without the key, which some servers repeat in their errors."""
        for secret in self.secrets:
            text = text.replace(secret, MASK)
        return text

    def mask_bytes(self, data: bytes) -> bytes:
        """The same for what comes over the wire; keys are ASCII."""
        for secret in self.secrets:
            data = data.replace(secret.encode(), MASK.encode())
        return data

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be shown nowhere."""
        keys = (self.api_key, self.auth_token)
        return tuple(key for key in keys if key and len(key) >= SHORTEST_SECRET)


def normalize_url(text: str) -> str:
    """A base URL without `/v1`, its scheme and host in lower case.

    Raises:
        UsageError: it is no address, or holds what may be a secret; that is not repeated.
    """
    if "@" in text:
        raise UsageError("base URL: a key doesn't belong there; put it into ANTHROPIC_API_KEY")
    expected = "expected an address such as http://127.0.0.1:8080"
    try:
        parts = urlsplit(text.strip())
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as error:
        raise UsageError(f"base URL {text!r}: {expected} ({error})") from error
    if parts.query or parts.fragment:
        raise UsageError(f"base URL: what follows `?` or `#` can't be sent; {expected}")
    if not is_address:
        raise UsageError(f"base URL {text!r}: {expected}")
    path = parts.path.rstrip("/").removesuffix("/messages").removesuffix("/v1").rstrip("/")
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"


def check_key(key: str | None) -> str | None:
    """A key without the white space around it, which files and copying add; None if none is left.

    Raises:
        UsageError: no header can carry it; HTTP libraries would repeat it in their errors.
    """
    key = (key or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageError("the key holds characters that no key has; set it anew")
    return key or None


def endpoint_from_environment(
    base_url: str | None = None,
    *,
    version: str = API_VERSION,
    timeout_seconds: float = 120.0,
    need_key: bool = True,
    environment: Mapping[str, str] = os.environ,
) -> Endpoint:
    """The endpoint that arguments and environment name.

    Reads ANTHROPIC_API_KEY, ANTHROPIC_AUTH_TOKEN and ANTHROPIC_BASE_URL; empty ones count as unset.

    Args:
        base_url: beats the environment.
        version: of the API.
        timeout_seconds: how long one attempt may take.
        need_key: whether a missing key is an error.
        environment: where the variables are read from.

    Raises:
        UsageError: the official API is meant, but there is no key.

    Example:
        >>> endpoint_from_environment(environment={"ANTHROPIC_BASE_URL": "http://127.0.0.1:8080"})
        Endpoint(base_url='http://127.0.0.1:8080', version='2023-06-01', timeout_seconds=120.0)
    """
    endpoint = Endpoint(
        base_url=base_url or environment.get("ANTHROPIC_BASE_URL") or OFFICIAL_URL,
        api_key=environment.get("ANTHROPIC_API_KEY"),
        auth_token=environment.get("ANTHROPIC_AUTH_TOKEN"),
        version=version,
        timeout_seconds=timeout_seconds,
    )
    if need_key and endpoint.lacks_key:
        raise UsageError(
            "no key: set ANTHROPIC_API_KEY, or point --base-url at another server, "
            "or use an embedded model such as local/smollm2-135m"
        )
    return endpoint
