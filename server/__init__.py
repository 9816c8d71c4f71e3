"""Assembly: settings, the ASGI app, access, the command line, the embedded services."""
