"""Cluster records in Kubernetes: as annotations of Node objects."""
