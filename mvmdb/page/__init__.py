"""The sky map in the browser, as static files."""
