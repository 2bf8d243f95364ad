"""The sandbox: the chat APIs on loopback, with made-up data, limits and faults.

It is written from what is known of the APIs and shares no code with the tap, so that a mistake in
one does not hide the same mistake in the other. From Python:

    with Sandbox(World(seed=7, messages=1000)) as sandbox:
        print(sandbox.url)
"""

from tap_chat.sandbox.dialect import Account, Changes, ChangingAccount, Dialect
from tap_chat.sandbox.dialects.livechat.api import ENTITY_ID
from tap_chat.sandbox.drifts import Drift
from tap_chat.sandbox.faults import Fault
from tap_chat.sandbox.limiter import RateLimiter
from tap_chat.sandbox.limits import Limit
from tap_chat.sandbox.options import Options
from tap_chat.sandbox.registry import DIALECTS
from tap_chat.sandbox.samples import API_KEY
from tap_chat.sandbox.server import Sandbox
from tap_chat.sandbox.world import World

__all__ = [
    "API_KEY",
    "DIALECTS",
    "ENTITY_ID",
    "Account",
    "Changes",
    "ChangingAccount",
    "Dialect",
    "Drift",
    "Fault",
    "Limit",
    "Options",
    "RateLimiter",
    "Sandbox",
    "World",
]
