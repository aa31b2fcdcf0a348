"""The store: everything that knows a Redis key.

`accept` takes events in, `lanes` is what workers live on, `journal` and `dead` are what people look at.
"""

from service.store.accept import Receipt, accept
from service.store.connection import Store, open_store, why_silent
from service.store.options import Options

__all__ = ["Options", "Receipt", "Store", "accept", "open_store", "why_silent"]
