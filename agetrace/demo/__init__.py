"""The demo: years of captures on the virtual fixture, replayed through the real capture path."""
