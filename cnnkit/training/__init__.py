"""Training: the loop over epochs and batches, optimizers, stopping and checkpoints."""
