"""The same job done by hand: FastAPI with Celery, and FastAPI with arq, as a competent team would write and run them.

They run in an environment of their own (`requirements.txt`), read a handful of variables, and do what every such service
does: check HubSpot's signature, decode, do nothing twice, ask the one rule, queue a job; a worker calls Sakari. What they
leave out is what Sluice is for: a crash between claim and queue loses the event; nothing keeps the order of an object's
events, the pace or the history; a job that fails is gone.
"""
