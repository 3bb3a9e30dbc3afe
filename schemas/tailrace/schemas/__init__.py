"""What travels on the log: Avro schemas, typed records, the wire codec, topics and names."""
