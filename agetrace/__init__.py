"""The door: command line, settings, pages and the demo; it may import every other room."""

__version__ = "0.1.0"
