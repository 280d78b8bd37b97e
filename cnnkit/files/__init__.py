"""File formats, and the writing of files."""
