"""The engine of embedded models as a process of its own, which ends with its parent.

    python -m evalkit.models.engine_process MODEL.gguf --threads 2 --context 4096 --alias NAME

serves the Messages API on a free port of 127.0.0.1 and says where in one JSON line on standard
output, {"address": "http://127.0.0.1:43689"}. It goes on until its standard input ends, which
happens even when the parent is killed, or until SIGTERM. Ctrl-C is left to the parent.

It imports nothing of evalkit, so that it can also be run by its path.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    import xllamacpp

ERRORS_ONLY = 1
"""The engine's level of verbosity; what it says at this level explains why it failed."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves one model until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a parent that ignores it would pass that on
    options = _parser().parse_args(arguments)
    output = _take_standard_output()
    try:
        server = start_server(
            options.model, threads=options.threads, context=options.context, alias=options.alias
        )
    except RuntimeError as error:
        sys.exit(str(error))
    output.write(json.dumps({"address": server.listening_address}) + "\n")
    output.flush()
    while sys.stdin.buffer.read(1024):
        pass
    # Nothing needs saving, and an orderly shutdown would first finish the answer under way.
    os._exit(0)


def start_server(model: str, *, threads: int, context: int, alias: str) -> xllamacpp.Server:
    """Loads a model into the engine and starts the engine's own HTTP server.

    Args:
        model: path of a GGUF file.
        threads: threads that compute, at least 1.
        context: the longest prompt with its reply, in tokens.
        alias: the model's name in replies.

    Returns:
        The server, an `xllamacpp.Server`; it runs as long as the object exists.

    Raises:
        RuntimeError: the engine can't load the file; it says why on standard error.
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.model.path, params.model_alias = model, {alias}
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_gpu_layers = 0
    # More slots never helped on few cores, and each computes a shared few-shot prefix for itself.
    params.n_parallel, params.n_ctx = 1, context
    params.fit_params = False  # would change the context to fit the memory
    # The engine would keep each question's state, 2 MB and more, up to 8 GiB. None comes twice,
    # and a prefix that questions share stays in the slot all the same.
    params.cache_ram_mib = 0
    params.ui = False
    params.cors_origins = "localhost"  # no web page may read from it
    params.verbosity = ERRORS_ONLY
    return xllamacpp.Server(params)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Serve one GGUF model on 127.0.0.1.")
    parser.add_argument("model", help="path of a GGUF file")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--context", type=int, required=True, help="in tokens")
    parser.add_argument("--alias", required=True, help="the model's name in replies")
    return parser


def _take_standard_output() -> TextIO:
    """Keeps standard output for the address; what the engine prints goes to standard error."""
    output = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return output


if __name__ == "__main__":
    main()
