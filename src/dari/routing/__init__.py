"""From the nodes' records to the kernel's routes, and nothing else."""
