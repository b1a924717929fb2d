"""Entry point: runs the command line and turns our errors into messages and exit codes."""

from __future__ import annotations

import sys
from typing import Final

_EXTRAS: Final = {
    "apprise": "daemon",
    "jinja2": "reports",
    "matplotlib": "reports",
    "prometheus_client": "daemon",
    "psycopg": "postgresql",
    "safetensors": "training",
    "torch": "training",
}
"""Which extra brings a module that a command may lack."""


def main() -> None:
    """Run `agetrace`, exit 0 done, 1 the work failed, 2 the request was wrong, 130 interrupted."""
    from agetrace.cli.app import app

    try:
        app()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201
        sys.exit(130)
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        print(  # noqa: T201
            f"agetrace: this command needs {error.name}: pip install 'agetrace[{extra}]'",
            file=sys.stderr,
        )
        sys.exit(2)
    except Exception as error:
        exit_code = getattr(error, "exit_code", None)
        if exit_code is None and isinstance(error, OSError):
            # an output that cannot be written, a full disk: of the machine, not of the program
            exit_code = 1
        if exit_code is None:
            raise
        print(f"agetrace: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(exit_code)


if __name__ == "__main__":
    main()
