"""Loggers of capture: who gets one, and what it does until somebody asks for logs.

Log lines tell people what the rows tell programs. Where they go, and in what form, is for the
program to say that has a standard error: until it does, nothing is written. Threads do not inherit
what another one bound, so every logger is bound explicitly to what it speaks of: `session`,
`camera`, `shot`, `occurrence`, `schedule`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, cast

import structlog
from sqlalchemy import event
from sqlalchemy.orm import Session as Transaction
from structlog.stdlib import BoundLogger, ProcessorFormatter, filter_by_level


def get_logger(name: str, **bound: Any) -> BoundLogger:
    """Return a logger that is silent unless the program has configured the standard library's.

    Parameters
    ----------
    name
        The module's `__name__`.
    bound
        What every line of it speaks of, such as ``session=UUID``. The event, its first argument, is
        a word or two with hyphens; everything else comes as keywords with units in their names.
    """
    package = logging.getLogger(name.partition(".")[0])
    if not package.handlers:
        # without any handler the standard library would print warnings
        package.addHandler(logging.NullHandler())
    logger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[filter_by_level, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=True,
        **bound,
    )
    return cast("BoundLogger", logger)


def log_committed(
    transaction: Transaction,
    logger: BoundLogger,
    name: str,
    said: Mapping[str, Any],
    *,
    is_bad: bool = False,
) -> None:
    """Write a line once a transaction is committed: what was rolled back never happened.

    Parameters
    ----------
    transaction
        A writing transaction.
    logger
        Bound to what the line speaks of.
    name
        The event.
    said
        What else the line says.
    is_bad
        Whether it is a warning.
    """

    def write(_transaction: Transaction) -> None:
        logger.log(logging.WARNING if is_bad else logging.INFO, name, **said)

    event.listen(transaction, "after_commit", write, once=True)
