"""The firewall: rules as text, and libnftables in the process that takes them."""
