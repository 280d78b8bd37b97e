"""Images as users hold them, and what they are scaled by."""
