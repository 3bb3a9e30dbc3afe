"""The Faust app: processors that fold run events into ended executions and health."""
