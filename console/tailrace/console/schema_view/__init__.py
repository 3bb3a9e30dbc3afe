"""A read-only schema registry over HTTP, so that Kafka tools can decode the topics.

It answers what clients of Confluent's registry ask; every write is refused. Tailrace itself never
asks it: an id is a fact about its schema.
"""
