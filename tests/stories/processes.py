"""One site in several processes, as a server's workers are, but asked over pipes: hundreds of questions a second."""

import contextlib
import dataclasses
import multiprocessing
import re
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, cycle
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import sqlalchemy as sa
from flask import Flask, request

from stormpath_app import Account, Application, clock, groups_required, login_required, login_user, logout_user, user
from stormpath_app.database import session
from stormpath_app.errors import LoginFailed, PasswordRefused
from stormpath_app.models import AccountSession, AccountStoreMapping, Directory, Group, GroupMembership
from stormpath_app.models.session import GRACE, unseal

from ..conftest import make_app
from ..servers import PATIENCE
from .people import PASSWORD

#: What a door answers whom it does not let in.
REFUSED = "refused"
#: So many threads of each process read at any moment, and so often beside each change.
READERS, READS = 2, 3

_FORKS = multiprocessing.get_context("forkserver")  # of a process that has imported all this, and done nothing
_FORKS.set_forkserver_preload([__name__])
_numbers = count(1)


@dataclass(frozen=True)
class Member:
    """Somebody as every process must know them. `session`, `token`: their cookies; `before`: one that was replaced."""

    email: str = ""
    name: str = "Han"
    password: str = PASSWORD
    session: str = ""
    token: str = ""
    before: str = ""

    def but(self, **changed: Any) -> "Member":
        return dataclasses.replace(self, **changed)


class Process:
    """A process of the site. What it is asked to do, it does one after the other; its readers go on meanwhile."""

    def __init__(self, instance: Path, settings: dict[str, Any]) -> None:
        self._pipe, theirs = _FORKS.Pipe()
        self._process = _FORKS.Process(target=_serve, args=(theirs, instance, settings), daemon=True)
        self._process.start()
        theirs.close()

    def begin(self, act: str, *arguments: Any) -> None:
        """Ask for something, and go on."""
        self._pipe.send((act, arguments))

    def end(self) -> Any:
        """Wait for what was asked for, and return it."""
        assert self._pipe.poll(PATIENCE), "a process does not answer"
        found = self._pipe.recv()
        if isinstance(found, Exception):
            raise found
        return found

    def do(self, act: str, *arguments: Any) -> Any:
        self.begin(act, *arguments)
        return self.end()

    def stop(self) -> None:
        self._process.terminate()
        self._process.join()


@contextlib.contextmanager
def processes(instance: Path, number: int, **settings: Any) -> Iterator[list[Process]]:
    """Start processes of the site that the instance folder is of."""
    settings = {"STORMPATH_BASE_URL": "http://localhost", "STORMPATH_THROTTLE": False, **settings}
    with contextlib.ExitStack() as stack:
        started = []
        for _ in range(number):
            started.append(Process(instance, settings))
            stack.callback(started[-1].stop)
        for process in started:
            process.end()
        yield started


def each(asked: Sequence[Process], act: str, *arguments: Any) -> list[Any]:
    """Ask several processes at once, and return what each says."""
    for process in asked:
        process.begin(act, *arguments)
    return [process.end() for process in asked]


# --- In the process ---


def _serve(pipe: Connection, instance: Path, settings: dict[str, Any]) -> None:
    sys.setswitchinterval(0.0005)  # so that the readers are in nobody's way for long, and everybody in a race
    desk = _Desk(make_app(instance, **settings))
    pipe.send("ready")
    while True:
        act, arguments = pipe.recv()
        try:
            pipe.send(getattr(desk, act)(*arguments))
        except Exception:
            pipe.send(RuntimeError(f"{act}{arguments}:\n{traceback.format_exc()}"))


class _Desk:
    """What a process answers."""

    def __init__(self, app: Flask) -> None:
        self._app, self._client = app, app.test_client(use_cookies=False)
        self._member = Member()
        self._turns, self._reads = threading.Semaphore(0), Counter[str]()
        app.add_url_rule("/who", view_func=who)
        app.add_url_rule("/members", view_func=members)
        app.add_url_rule("/try", view_func=try_to_log_in)
        app.add_url_rule("/suits", view_func=suits)
        app.add_url_rule("/enter", view_func=enter)
        app.add_url_rule("/leave", view_func=leave_by_the_door)
        self._ask("/who", Member())  # which looks whether the site is ready
        for _ in range(READERS):
            threading.Thread(target=self._read, daemon=True).start()

    def change(self, name: str, member: Member) -> Member:
        """Make a change, as a request of the site would; return the member as they are then."""
        if change := CHANGES.get(name):
            with self._app.app_context():
                return change(member)
        return cast(Member, getattr(self, name)(member))

    def ask(self, path: str, member: Member) -> str:
        """Return what the site tells a member's browser."""
        return self._ask(path, member)

    def watch(self, member: Member) -> None:
        """Let the readers begin to read what this member may."""
        self._member = member
        self._turns.release(READERS * READS)

    def reads(self) -> Counter[str]:
        """Return what the readers were told, and how often."""
        return self._reads

    def _ask(self, path: str, member: Member, **cookies: str) -> str:
        held = cookies or {"stormpath_session": member.session}
        cookie = "; ".join(f"{name}={value}" for name, value in held.items())
        query = {"login": member.email, "password": member.password}
        answer = self._client.get(path, headers={"Cookie": cookie}, query_string=query)
        if answer.status_code == 302:
            return REFUSED
        rule = re.search("At least [0-9]+ characters", answer.text)  # the page to register is long
        return rule[0] if rule else answer.text if answer.status_code == 200 else f"{answer.status} {answer.text}"

    def _read(self) -> None:
        for path in cycle(("/who", "/members")):
            self._turns.acquire()
            self._reads[self._ask(path, self._member)] += 1

    # --- Changes that are requests ---

    def log_in(self, member: Member) -> Member:
        client = self._app.test_client()
        assert client.get("/enter", query_string={"login": member.email}).text == "in"
        return member.but(**_cookies(client), before=member.session)

    def rotate(self, member: Member) -> Member:
        """Come back with the remembered cookie alone, as a browser that was closed."""
        client = self._app.test_client()
        client.set_cookie("stormpath_token", member.token)
        assert client.get("/who").text == member.name
        assert _cookies(client)["token"] != member.token
        return member.but(**_cookies(client), before=member.token)

    def show_a_copy(self, member: Member) -> Member:
        """Come with a remembered cookie that was replaced long ago: somebody has a copy."""
        now = clock.now
        with patch.object(clock, "now", lambda: now() + GRACE + timedelta(seconds=1)):
            assert self._ask("/who", member, stormpath_token=member.before) == REFUSED
        return member

    def log_out(self, member: Member) -> Member:
        client = self._app.test_client()
        client.set_cookie("stormpath_session", member.session)
        assert client.get("/leave").text == "out"
        return member

    def command(self, member: Member, *words: str) -> Member:
        """Run a command, as its process would."""
        done = self._app.test_cli_runner().invoke(args=["stormpath", *words])
        assert done.exit_code == 0, done.output
        return member

    def command_disable(self, member: Member) -> Member:
        return self.command(member, "disable-account", member.email)

    def command_enable(self, member: Member) -> Member:
        return self.command(member, "enable-account", member.email)

    def command_join(self, member: Member) -> Member:
        return self.command(member, "add-to-group", member.email, "members")

    def command_leave(self, member: Member) -> Member:
        return self.command(member, "remove-from-group", member.email, "members")

    def command_sign_out(self, member: Member) -> Member:
        return self.command(member, "sign-out", member.email)


def _cookies(client: Any) -> dict[str, str]:
    return {name: client.get_cookie(f"stormpath_{name}").value for name in ("session", "token")}


# --- Pages ---


@login_required
def who() -> str:
    return str(user.given_name)


@groups_required(["members"])
def members() -> str:
    return "inside"


def try_to_log_in() -> str:
    """Tell what becomes of a login and a password."""
    try:
        Application.current().authenticate_account(request.args["login"], request.args["password"])
    except LoginFailed as failure:
        return type(failure).__name__
    return "in"


def suits() -> str:
    """Tell whether a password of 16 characters would do."""
    try:
        Application.current().default_account_store().home.password_policy.check(PASSWORD[:16])
    except PasswordRefused:
        return REFUSED
    return "suits"


def enter() -> str:
    return "in" if login_user(_account(request.args["login"])) else "out"


def leave_by_the_door() -> str:
    return "out" if user.is_authenticated and logout_user() else "nobody"


# --- Changes ---


def _account(email: str) -> Account:
    return session.scalars(sa.select(Account).where(Account.email == email)).one()


def _group(name: str = "members") -> Group:
    return session.scalars(sa.select(Group).where(Group.name == name)).one()


def _mapping(store: Directory | Group) -> AccountStoreMapping:
    return next(found for found in Application.current().account_store_mappings if found.store_id == store.id)


def _status(found: Callable[[Member], Any], status: str) -> Callable[[Member], Member]:
    def change(member: Member) -> Member:
        one = found(member)
        one.status = status
        one.save()
        return member

    return change


def _of_email(member: Member) -> Account:
    return _account(member.email)


def _directory(member: Member) -> Directory:
    return _account(member.email).directory


def _members(_member: Member) -> Group:
    return _group()


def _application(_member: Member) -> Application:
    return Application.current()


def _new_name() -> str:
    return f"Han-{next(_numbers)}-{threading.get_native_id()}"


def create(_member: Member) -> Member:
    """Make an account, and the group if there is none."""
    name = _new_name()
    created = Account.create(f"{name}@falcon.example".lower(), PASSWORD, name, "Solo")
    if created.directory.groups.first({"name": "members"}) is None:
        created.directory.groups.create(name="members")
    return Member(created.email, name)


def rename(member: Member) -> Member:
    account, name = _account(member.email), _new_name()
    account.given_name = name
    account.save()
    return member.but(name=name)


def new_password(member: Member) -> Member:
    account, password = _account(member.email), f"Woot1{_new_name()}"
    account.password = password
    account.save()
    return member.but(password=password)


def delete(member: Member) -> Member:
    _account(member.email).delete()
    return member


def join(member: Member) -> Member:
    _account(member.email).add_group("members")
    return member


def leave(member: Member) -> Member:
    _account(member.email).remove_group("members")
    return member


def rename_group(member: Member) -> Member:
    group = _group()
    group.name = "patrons"
    group.save()
    return member


def rename_group_back(member: Member) -> Member:
    group = _group("patrons")
    group.name = "members"
    group.save()
    return member


def _set_length(length: int, member: Member) -> Member:
    strength = _directory(member).password_policy.strength
    strength.min_length = length
    strength.save()
    return member


def strengthen(member: Member) -> Member:
    return _set_length(17, member)


def weaken(member: Member) -> Member:
    return _set_length(8, member)


def unmap(member: Member) -> Member:
    _mapping(_directory(member)).delete()
    return member


def map_again(member: Member) -> Member:
    Application.current().add_account_store(_directory(member), is_default=True)
    return member


def map_group(member: Member) -> Member:
    Application.current().add_account_store(_group())
    return member


def unmap_group(member: Member) -> Member:
    _mapping(_group()).delete()
    return member


def end_session(member: Member) -> Member:
    """End one login of several."""
    session_id = unseal(member.session)[0].partition(".")[0]
    next(login for login in _account(member.email).sessions if login.id == session_id).end()
    return member


def sign_out(member: Member) -> Member:
    _account(member.email).sign_out()
    return member


def stir(member: Member) -> Member:
    """Make what is kept of everybody worthless, so that all read anew: a change of the host's own that hurts nobody."""
    directories: Any = Directory.__table__
    session.execute(sa.update(directories).values(description=_new_name()))
    session.commit()
    return member


# --- Changes that a host makes by statements of its own; those of accounts raise the version ---


def core_rename(member: Member) -> Member:
    name, change = _new_name(), sa.update(Account).where(Account.email == member.email)
    session.execute(change.values(given_name=name, version=Account.version + 1))
    session.commit()
    return member.but(name=name)


def core_disable(member: Member) -> Member:
    accounts: Any = Account.__table__
    disable = sa.update(accounts).where(accounts.c.email == member.email)
    session.execute(disable.values(status="DISABLED", version=accounts.c.version + 1))
    session.commit()
    return member


def core_enable(member: Member) -> Member:
    session.execute(
        sa.text("UPDATE stormpath_accounts SET status = 'ENABLED', version = version + 1 WHERE email = :email"),
        {"email": member.email},
    )
    session.commit()
    return member


def core_leave(member: Member) -> Member:
    session.execute(sa.delete(GroupMembership).where(GroupMembership.account_id == _account(member.email).id))
    session.commit()
    return member


def core_unmap(member: Member) -> Member:
    session.execute(sa.delete(AccountStoreMapping).where(AccountStoreMapping.id == _mapping(_directory(member)).id))
    session.commit()
    return member


def core_end_sessions(member: Member) -> Member:
    whose = sa.select(Account.id).where(Account.email == member.email)
    session.execute(sa.delete(AccountSession).where(AccountSession.account_id.in_(whose)))
    session.commit()
    return member


def _core_status(found: Callable[[Member], Any], status: str) -> Callable[[Member], Member]:
    def change(member: Member) -> Member:
        one = found(member)
        model: Any = type(one)
        session.execute(sa.update(model.__table__).where(model.id == one.id).values(status=status))
        session.commit()
        return member

    return change


CHANGES: dict[str, Callable[[Member], Member]] = {
    change.__name__: change
    for change in (
        *(
            create,
            rename,
            new_password,
            delete,
            join,
            leave,
            rename_group,
            rename_group_back,
            strengthen,
            weaken,
            unmap,
            map_again,
        ),
        *(map_group, unmap_group, end_session, sign_out, stir),
        *(core_rename, core_disable, core_enable, core_leave, core_unmap, core_end_sessions),
    )
}
for verb, status in (("disable", "DISABLED"), ("enable", "ENABLED")):
    CHANGES[verb] = _status(_of_email, status)
    for what, found in (("directory", _directory), ("group", _members), ("application", _application)):
        CHANGES[f"{verb}_{what}"] = _status(found, status)
        CHANGES[f"core_{verb}_{what}"] = _core_status(found, status)
