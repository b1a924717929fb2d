"""Networks by name; each submodule owns one architecture and knows nothing of data or training."""
