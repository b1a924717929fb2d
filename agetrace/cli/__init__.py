"""Command line of agetrace, one module per noun."""
