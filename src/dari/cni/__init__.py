"""The Container Network Interface: the plugin's edge, and under `runtime/` its callers'.

Source: CNI SPEC.md 1.1.0.
"""
