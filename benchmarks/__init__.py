"""Comparisons of this project's fast paths with the tools people would use instead."""
