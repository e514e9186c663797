"""What people run: one module per command, found by name in `main.COMMANDS`."""
