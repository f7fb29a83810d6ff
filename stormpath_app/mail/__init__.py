"""Mail: what it says, and how it leaves. `deliver(message_id)` sends one, for a queue of the host's own."""

from .delivery import deliver, deliver_due, prune

__all__ = ["deliver", "deliver_due", "prune"]
