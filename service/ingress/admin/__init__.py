"""The admin API under /api: what operators look at and do, with a bearer token. Over the same functions as the console."""
