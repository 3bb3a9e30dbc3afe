"""What a deployment is: its manifest, its id, the code it was made of, what tells two apart."""
