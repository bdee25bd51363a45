"""The catalog and the sky map on localhost, by Datasette."""
