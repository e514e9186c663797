"""Cluster records in etcd, version 3."""
