"""What other code can listen to. Each signal is sent after the commit, with the Flask app as its sender.

A receiver's exception is logged and never undoes the change it was told about.
"""

from blinker import Namespace

_signals = Namespace()

#: An account was created. `user`: a dictionary of the account's attributes, without secrets; `account`: the account.
user_created = _signals.signal("user-created")

#: An account was changed and saved. `user`, `account` as above.
user_updated = _signals.signal("user-updated")

#: An account was deleted. `user`: its last attributes; `account` cannot be saved any more.
user_deleted = _signals.signal("user-deleted")
