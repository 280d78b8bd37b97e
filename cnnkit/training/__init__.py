"""The loop over epochs and batches, and all that it needs."""
