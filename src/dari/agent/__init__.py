"""The daemon that keeps a node as the cluster's records say, and the installing of it."""
