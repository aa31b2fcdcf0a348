"""The same job done by hand: FastAPI with Celery, and FastAPI with arq, as a competent team would write and run them.

They run in an environment of their own (`requirements.txt`), and read a handful of variables. `with_celery` and `with_arq` are
the least: check HubSpot's signature, decode, claim, ask the one rule, queue a job; a worker calls Sakari. `same_job_celery`
and `same_job_arq` keep the promises that Sluice keeps, and share `same_job` and `records`; `docs/performance.md` says what
they still leave out.
"""
