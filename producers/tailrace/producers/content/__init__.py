"""What an event says: values, digests, errors, model use, and the bytes that all of it becomes."""
