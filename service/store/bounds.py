"""Keeping and showing a part of what is large."""

from typing import Any

import msgspec


def bounded(value: Any, most: int) -> Any:
    """Give back plain JSON types, or their beginning as text if they are larger than `most` bytes encoded."""
    try:
        encoded = value.encode(errors="replace") if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str)
        if len(encoded) > most:
            return encoded[:most].decode(errors="replace") + "…"
        return encoded.decode() if isinstance(value, str) else storable(msgspec.json.decode(encoded))
    except RecursionError:
        return "(nested too deeply to be kept)"


def storable(value: Any) -> Any:
    """Give back plain JSON types that MessagePack can hold: an integer beyond 64 bits becomes its text."""
    if isinstance(value, dict):
        return {key: storable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [storable(inner) for inner in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value
