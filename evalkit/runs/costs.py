"""What responses cost, from the tokens that they report."""

from __future__ import annotations

import math
from collections.abc import Iterable

from evalkit.models.model import Price
from evalkit.responses import Response, Usage
from evalkit.runs.journal import JournalRow

MILLION = 1_000_000


def cost_of_rows(rows: Iterable[JournalRow], price: Price | None) -> float | None:
    """Dollars for all responses among some rows; failures cost nothing.

    Args:
        rows: of one run.
        price: of the model; None: not known.

    Returns:
        None if the price is not known.
    """
    if price is None:
        return None
    # Exact, so that the order in which responses came changes no digit.
    return math.fsum(
        cost_of_usage(row.result.usage, price, in_batch=row.batch_id is not None)
        for row in rows
        if isinstance(row.result, Response)
    )


def cost_of_usage(usage: Usage, price: Price, *, in_batch: bool = False) -> float:
    """Dollars for one response; what the endpoint did not count is taken for nothing.

    Example:
        >>> cost_of_usage(Usage(input_tokens=2_000_000, output_tokens=100_000),
        ...     Price(input=1.0, output=5.0))
        2.5
    """
    return cost_of_tokens(
        price,
        plain=usage.input_tokens or 0,
        written=usage.cache_creation_input_tokens or 0,
        read=usage.cache_read_input_tokens or 0,
        output=usage.output_tokens or 0,
        in_batch=in_batch,
    )


def cost_of_tokens(
    price: Price,
    *,
    plain: float = 0.0,
    written: float = 0.0,
    read: float = 0.0,
    output: float = 0.0,
    in_batch: bool = False,
) -> float:
    """Dollars for the tokens of one request.

    Args:
        price: of the model.
        plain: read at full price.
        written: to the cache.
        read: from the cache.
        output: generated.
        in_batch: whether it is one of a Message Batch.
    """
    its = price.for_prompt(round(plain + written + read))
    total = plain * its.input + written * its.of_cache_write + read * its.of_cache_read
    total += output * its.output
    return total / MILLION * (price.batch_factor if in_batch else 1.0)


def savings_of_rows(rows: Iterable[JournalRow], price: Price | None) -> float | None:
    """Dollars that the prompt cache has saved in all responses among some rows.

    Args:
        rows: of one run.
        price: of the model; None: not known.

    Returns:
        None if the price is not known; negative if more was paid for writing than reading saved.
    """
    if price is None:
        return None
    return math.fsum(
        savings_of_usage(row.result.usage, price, in_batch=row.batch_id is not None)
        for row in rows
        if isinstance(row.result, Response)
    )


def savings_of_usage(usage: Usage, price: Price, *, in_batch: bool = False) -> float:
    """What the cached tokens would have cost as plain input, less what they have cost.

    Example:
        >>> its = Price(input=1.0, output=5.0, cache_read=0.1)
        >>> savings_of_usage(Usage(cache_creation_input_tokens=2_000_000), its)
        -0.5
        >>> savings_of_usage(Usage(cache_read_input_tokens=2_000_000), its)
        1.8
    """
    written = usage.cache_creation_input_tokens or 0
    read = usage.cache_read_input_tokens or 0
    its = price.for_prompt((usage.input_tokens or 0) + written + read)
    total = read * (its.input - its.of_cache_read) - written * (its.of_cache_write - its.input)
    return total / MILLION * (its.batch_factor if in_batch else 1.0)
