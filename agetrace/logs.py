"""Where log lines go and what they look like; knows nothing of what is logged.

Lines go to standard error: one JSON object each for programs, or plain text for people. Times are
in UTC. Values of secrets are masked, wherever they come from.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO

if TYPE_CHECKING:
    from structlog.stdlib import ProcessorFormatter
    from structlog.typing import Processor

    from agetrace.settings import Home

LogFormat = Literal["json", "plain"]
LogLevel = Literal["debug", "info", "warning", "error"]

_PACKAGES: Final = ("agetrace", "capture", "datastore", "training")
_SHORTEST_SECRET: Final = 4
_FIRST: Final = (
    "timestamp",
    "level",
    "event",
    "schedule",
    "occurrence",
    "session",
    "camera",
    "shot",
)
_HANDLER_NAME: Final = "agetrace"
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, default=str)


def configure_logs(
    log_format: LogFormat,
    *,
    level: LogLevel = "info",
    secrets: Iterable[str] = (),
    stream: TextIO | None = None,
) -> Callable[[], None]:
    """Write log lines from now on; calling it again replaces what was configured before.

    Parameters
    ----------
    log_format
        `json`: one object a line, with `timestamp`, `level`, `logger`, `event` and what was bound.
        `plain`: the same for people.
    level
        Least level of our own lines; those of libraries are written from `warning` on.
    secrets
        Texts that are masked in every line.
    stream
        Where lines go; None for standard error.

    Returns
    -------
    callable
        Ends it: nothing is written any more.
    """
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.set_name(_HANDLER_NAME)
    handler.setFormatter(_Masking(_formatter(log_format, handler.stream.isatty()), secrets))
    _end()
    logging.getLogger().addHandler(handler)
    for package in _PACKAGES:
        logging.getLogger(package).setLevel(level.upper())
    return _end


def _end() -> None:
    root = logging.getLogger()
    for handler in [known for known in root.handlers if known.get_name() == _HANDLER_NAME]:
        root.removeHandler(handler)
    for package in _PACKAGES:
        logging.getLogger(package).setLevel(logging.NOTSET)


def secrets_of(home: Home, environment: Mapping[str, str]) -> list[str]:
    """Return the secrets that a home's settings and its environment speak of."""
    from datastore.engine import parse_url

    variables = [
        *home.settings.notifications.channels.values(),
        *(
            variable
            for actuator in home.settings.actuators.values()
            if (variable := getattr(actuator, "token_variable", None)) is not None
        ),
        *(
            variable
            for store in home.settings.stores.values()
            if store.kind == "s3"
            for variable in store.key_variables
        ),
    ]
    password = parse_url(home.database_url).password
    found = [environment[variable] for variable in variables if variable in environment]
    return [*found, *([str(password)] if password else [])]


def _formatter(log_format: LogFormat, is_terminal: bool) -> ProcessorFormatter:
    import structlog
    from structlog.stdlib import ProcessorFormatter, add_log_level, add_logger_name

    shared: list[Processor] = [
        add_log_level,
        add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        ProcessorFormatter.remove_processors_meta,
    ]
    if log_format == "plain":
        # the tracebacks that it would choose by itself show variables, which may be secret
        renderer = structlog.dev.ConsoleRenderer(
            colors=is_terminal, exception_formatter=structlog.dev.plain_traceback
        )
        return ProcessorFormatter(processors=[*shared, renderer])
    return ProcessorFormatter(
        processors=[
            *shared,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(_to_json),
        ]
    )


def _to_json(line: Mapping[str, Any], **_: Any) -> str:
    ordered = {name: line[name] for name in _FIRST if name in line} | dict(line)
    return _ENCODER.encode(ordered)


class _Masking(logging.Formatter):
    """A formatter whose lines hold no secret."""

    def __init__(self, inner: logging.Formatter, secrets: Iterable[str]) -> None:
        super().__init__()
        self._inner = inner
        long_enough = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
        forms = {*long_enough, *(json.dumps(s, ensure_ascii=False)[1:-1] for s in long_enough)}
        # one secret may begin with another
        self._secrets = sorted(forms, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line with every secret masked."""
        line = self._inner.format(record)
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line
