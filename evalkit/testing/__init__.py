"""A real HTTP server on this machine that imitates the Messages API, for tests of one's own.

    from evalkit.testing import MessagesServer, key_answers

    with MessagesServer(answer=key_answers({"What is latin for Ant?": "Formicidae"})) as server:
        endpoint = evalkit.Endpoint(base_url=server.base_url, api_key=server.key)

With pytest, `evalkit_server(answer=...)` of the fixture `evalkit_server` starts one, and points the
environment at it.
"""

from evalkit.testing.messages_faults import (
    Fault,
    bad_gateway,
    connection_reset,
    first_attempts,
    overloaded,
    rate_limited,
    server_error,
)
from evalkit.testing.messages_record import RequestRecord
from evalkit.testing.messages_replies import Reply, key_answers
from evalkit.testing.messages_server import MessagesServer

__all__ = [
    "Fault",
    "MessagesServer",
    "Reply",
    "RequestRecord",
    "bad_gateway",
    "connection_reset",
    "first_attempts",
    "key_answers",
    "overloaded",
    "rate_limited",
    "server_error",
]
