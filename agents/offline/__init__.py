"""The rehearsal model: an OpenAI-compatible server that writes from the product itself.

It is deterministic by input, needs no key and no network, and says in every answer that it is a rehearsal.
No agent knows of it: they reach it as they reach any model, over HTTP, in process or on a port.
"""

from agents.offline.app import rehearsal
from agents.offline.faults import parse_faults
from agents.offline.phrases import LANGUAGES

__all__ = ["LANGUAGES", "parse_faults", "rehearsal"]
