"""Cameras, recipes, sessions and content control at the shutter; knows nothing of training."""
