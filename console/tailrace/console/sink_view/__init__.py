"""What a running sink shows over HTTP: its metrics and whether it is well."""
