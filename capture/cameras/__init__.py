"""Camera bodies: what a session asks of one, and the gphoto2 implementation in worker processes."""
