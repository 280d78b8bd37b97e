"""Compiled modules, built from src/."""
