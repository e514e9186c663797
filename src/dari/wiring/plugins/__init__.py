"""One module per plugin type, named as the type is."""
