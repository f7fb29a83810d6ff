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

#: Somebody tried to log in and was not let in, after the password was looked at. `login`: what was typed as the name;
#: `account`, `user`: whose it is, None for nobody's; `application`; `error`: the LoginFailed, which says why.
login_failed = _signals.signal("login-failed")

#: An account has a new password. `user`, `account` as above. It is sent beside `user_updated`.
password_changed = _signals.signal("password-changed")

#: An account was enabled, disabled or verified. `user`, `account` as above; `before`: the status it had.
status_changed = _signals.signal("status-changed")

#: An account is in a group now. `user`, `account` as above; `group`: the group.
group_joined = _signals.signal("group-joined")

#: An account is not in a group any more. `user`, `account`, `group` as above.
group_left = _signals.signal("group-left")

#: A group was deleted, and with it the memberships in it, of which nothing more is sent. `group`: its last attributes,
#: a dictionary.
group_deleted = _signals.signal("group-deleted")

#: A directory was deleted, and with it its accounts and groups, of which nothing more is sent. `directory`: its last
#: attributes, a dictionary.
directory_deleted = _signals.signal("directory-deleted")

#: A mail was written and waits to be sent. `message_id`, `kind`: which, and what it is about, as "reset".
message_queued = _signals.signal("message-queued")
