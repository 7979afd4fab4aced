"""Redis, which carries a ring of the bell and nothing else."""
