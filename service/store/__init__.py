"""The store: everything that knows a Redis key.

`accept` takes events in, `lanes` is what workers live on, `journal` and `dead` are what people look at.
"""

from service.store.accept import Acceptor, Receipt
from service.store.connection import Options, Store, open_store

__all__ = ["Acceptor", "Options", "Receipt", "Store", "open_store"]
