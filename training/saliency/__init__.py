"""Where networks look, and measures of it; knows no catalogue."""
