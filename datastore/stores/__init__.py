"""Asset stores beside the home's own: what they can do, where they are, what they keep."""
