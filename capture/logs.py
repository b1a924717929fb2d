"""Loggers of capture: who gets one, and what it does until somebody asks for logs.

Log lines tell people what the rows tell programs. Where they go, and in what form, is for the
program to say that has a standard error: until it does, nothing is written. Threads do not inherit
what another one bound, so every logger is bound explicitly to what it speaks of: `session`,
`camera`, `shot`, `occurrence`, `schedule`.
"""

from __future__ import annotations

import logging
from typing import Any, cast

import structlog
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
