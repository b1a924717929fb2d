"""Mappings of published data sets, as YAML; holds no code."""
