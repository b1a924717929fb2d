"""Recipes that come with agetrace, as YAML files to run by name or to copy and change."""
