"""What was set on a resource is written by its own `save()` alone: no other verb's commit goes round the rules."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, SessionTransaction
from sqlalchemy.orm.attributes import set_committed_value

from ..database import session


class SavedAlone:
    """A mapped object whose changes wait for its own `save()`."""

    @property
    def is_new(self) -> bool:
        """Whether it was never saved."""
        return not sa.inspect(self).has_identity

    def set_again(self, wanted: dict[str, tuple[Any, Any]]) -> None:
        """Set anew what a rollback took away, and that alone. `wanted`: as `changed` returned it."""
        if self.is_new:
            return
        kept = changed(self).keys() | wanted.keys()
        for name, (_before, after) in wanted.items():
            setattr(self, name, after)
        # One attribute may set another beside it, as an address does what is known of it.
        if (beside := changed(self).keys() - kept) and (current := sa.inspect(self).session):
            current.expire(self, beside)


def changed(resource: SavedAlone) -> dict[str, tuple[Any, Any]]:
    """Return what was set and not yet saved: attribute -> (before, after)."""
    state, found = sa.inspect(resource), {}
    for column in state.mapper.column_attrs if state.modified else ():
        history = state.attrs[column.key].history
        if history.has_changes():
            found[column.key] = ((history.deleted or (None,))[0], (history.added or (None,))[0])
    return found


# In session.info: what the next flush writes; what it kept back, to be set again; whether a commit is flushing.
_WRITTEN, _KEPT, _COMMITTING = "stormpath_written", "stormpath_kept", "stormpath_committing"


def write(resource: SavedAlone) -> None:
    """Let the next flush write what was set on this resource."""
    session().info.setdefault(_WRITTEN, []).append(resource)


# These watch every session, as a host's may be shared: where nothing of ours is dirty, nothing happens.


@sa.event.listens_for(Session, "before_flush")
def _keep_back(current: Session, _context: object, _instances: object) -> None:
    written = current.info.get(_WRITTEN, ())
    for resource in current.dirty:
        if isinstance(resource, SavedAlone) and not any(resource is one for one in written):
            wanted = changed(resource)
            current.info.setdefault(_KEPT, []).append((resource, wanted))
            for name, (before, _after) in wanted.items():
                set_committed_value(resource, name, before)


@sa.event.listens_for(Session, "after_flush_postexec")
def _is_flushed(current: Session, _context: object) -> None:
    current.info.pop(_WRITTEN, None)
    if _COMMITTING not in current.info:  # a commit flushes until there is nothing left to flush
        _give_back(current)


@sa.event.listens_for(Session, "before_commit")
def _is_committing(current: Session) -> None:
    current.info[_COMMITTING] = True


@sa.event.listens_for(Session, "after_transaction_end")
def _has_ended(current: Session, ended: SessionTransaction) -> None:
    if ended.nested or ended.parent is None:  # not a flush's own
        for name in (_WRITTEN, _COMMITTING):
            current.info.pop(name, None)
        _give_back(current)


def _give_back(current: Session) -> None:
    for resource, wanted in current.info.pop(_KEPT, ()):
        for name, (before, _after) in wanted.items():
            set_committed_value(resource, name, before)  # what expired with the commit need not be read for this
        resource.set_again(wanted)
