"""The ingress: what HTTP brings in. Start at receive.py."""
