"""Cluster records: who the nodes are, where they are reached, which pod ranges they hold."""
