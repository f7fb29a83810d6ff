"""Custom data that is stored encrypted, and keys that are replaced."""

import sys

import pytest
import sqlalchemy as sa
from cryptography.fernet import Fernet

from stormpath_app import Application, User, encryption
from stormpath_app.database import database, session
from stormpath_app.errors import CustomDataLocked, NotReady, SecretLocked
from stormpath_app.models import Client
from stormpath_app.models.custom_data_search import leaves

from .conftest import PASSWORD, statements
from .together import together

OLD, NEW, THIRD = (Fernet.generate_key().decode() for _ in range(3))
EMAIL = "leia@alderaan.example"
DATA = {"iban": "DE89 3704", "perks": {"7": ["Prinzeß", None, 2**70]}}


@pytest.fixture
def keys(app):
    """Return a function that gives the app other keys."""
    return lambda *keys: app.config.update(STORMPATH_ENCRYPTION_KEYS=list(keys))


@pytest.fixture
def leia(context):
    return User.create(EMAIL, PASSWORD, custom_data=DATA)


def reads(app):
    with app.app_context():
        return dict(Application.current().find_account(EMAIL).custom_data)


def texts():
    return session.scalars(sa.text("SELECT value FROM stormpath_accounts_custom_data WHERE key <> ''")).all()


@pytest.mark.sqlite  # it reads the file
@pytest.mark.settings(STORMPATH_ENCRYPTION_KEYS=[OLD])
def test_what_is_stored_can_be_read_with_the_key_alone(app, leia, instance):
    assert reads(app) == DATA
    assert all(text.startswith("fernet:") for text in texts())
    session.remove()
    database.engine.dispose()
    stored = b"".join(file.read_bytes() for file in instance.glob("stormpath.db*"))
    assert b"3704" not in stored
    assert b"Prinze" not in stored


@pytest.mark.settings(STORMPATH_ENCRYPTION_KEYS=[OLD])
def test_a_value_that_did_not_change_is_not_encrypted_again(app, leia):
    before = texts()
    leia.refresh()
    leia.custom_data["iban"] = DATA["iban"]
    dict(leia.custom_data)
    with statements(app) as seen:
        leia.save()
    assert not any("custom_data" in one for one in seen)
    leia.custom_data["perks"]["7"].append(1)
    leia.save()
    assert len(set(before) & set(texts())) == 1
    assert reads(app)["perks"]["7"][-1] == 1


@pytest.mark.settings(STORMPATH_ENCRYPTION_KEYS=[OLD])
@pytest.mark.parametrize("others", [[], [NEW], [NEW, THIRD]], ids=["none", "another", "two others"])
def test_without_the_key_it_is_an_error_that_says_so(app, leia, keys, others):
    keys(*others)
    with pytest.raises(CustomDataLocked) as caught:
        reads(app)
    assert (caught.value.code, caught.value.status) == (500, 500)
    assert "STORMPATH_ENCRYPTION_KEYS" in caught.value.developer_message
    assert "KEYS" not in caught.value.message
    with app.app_context():
        account = Application.current().find_account(EMAIL)
        assert sorted(account.custom_data) == ["iban", "perks"]
        account.custom_data["other"] = 1
        del account.custom_data["iban"]
        account.save()
        assert account.custom_data["other"] == 1


@pytest.mark.settings(STORMPATH_ENCRYPTION_KEYS=[OLD])
def test_what_somebody_changed_in_the_database_is_not_read(app, leia):
    session.execute(
        sa.text("UPDATE stormpath_accounts_custom_data SET value = substr(value, 1, length(value) - 4) || 'AAA='")
    )
    session.commit()
    with pytest.raises(CustomDataLocked):
        reads(app)


@pytest.mark.settings(STORMPATH_ENCRYPTION_KEYS=[OLD])
def test_a_new_key_writes_and_the_old_one_still_reads(app, leia, keys):
    keys(NEW, OLD)
    assert reads(app) == DATA
    leia.custom_data["iban"] = "another"
    leia.save()
    keys(NEW)
    leia.refresh()
    assert leia.custom_data["iban"] == "another"
    with pytest.raises(CustomDataLocked):
        leia.custom_data["perks"]


@pytest.mark.settings(STORMPATH_ENCRYPTION_KEYS=[OLD])
def test_the_size_is_that_of_the_values_and_not_of_what_encryption_makes_of_them(app, context):
    User.create(EMAIL, PASSWORD, custom_data={"a": "x" * (10 * 1024 * 1024 - 3)})
    assert len(reads(app)["a"]) == 10 * 1024 * 1024 - 3


# --- The command ---


@pytest.fixture
def encrypt(app):
    return lambda: app.test_cli_runner().invoke(app.cli, ["stormpath", "encrypt-custom-data"])


@pytest.mark.parametrize("before", [[], [OLD]], ids=["plain", "with another key"])
def test_all_that_is_stored_can_be_encrypted_with_a_new_key(app, keys, encrypt, before):
    keys(*before)
    with app.app_context():
        leia = User.create(EMAIL, PASSWORD, custom_data=DATA | {f"key{number}": number for number in range(50)})
        del leia.custom_data["key7"]
        leia.save()
        when = leia.custom_data.modified_at
        for holder in (Client().tenant, Application.current(), leia.directory):
            holder.custom_data["x"] = "y"
            holder.save()
    keys(NEW, *before)
    result = encrypt()
    assert (result.exit_code, result.output) == (0, "Encrypted 54 values.\n")
    keys(NEW)
    assert reads(app).items() >= DATA.items()
    with app.app_context():
        assert Client().tenant.custom_data == {"x": "y"}
        assert Application.current().find_account(EMAIL).custom_data.modified_at == when
        assert session.scalar(sa.select(sa.func.count()).select_from(leaves)) == 0


@pytest.mark.settings(STORMPATH_ENCRYPTION_KEYS=[OLD])
def test_nothing_is_encrypted_that_cannot_be_read(app, leia, keys, encrypt):
    before = texts()
    keys(NEW)
    assert encrypt().exit_code == 1
    assert texts() == before


def test_without_keys_there_is_nothing_to_encrypt_with(app, encrypt):
    result = encrypt()
    assert result.exit_code == 1
    assert "STORMPATH_ENCRYPTION_KEYS is not set" in result.output


# --- The check ---


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (OLD, "STORMPATH_ENCRYPTION_KEYS is of type str; it must be a list of keys."),
        (None, "STORMPATH_ENCRYPTION_KEYS is of type NoneType; it must be a list of keys."),
        *(
            ([OLD, key], "Number 2 of STORMPATH_ENCRYPTION_KEYS is no key.")
            for key in ("", "a secret", OLD[:-4], None, 5)
        ),
    ],
    ids=range(7),
)
def test_what_is_no_key_is_told_and_not_shown(app, wrong, told):
    app.config["STORMPATH_ENCRYPTION_KEYS"] = wrong
    with app.app_context():
        (sentence,) = [
            problem.sentence for problem in app.extensions["stormpath"].check() if "KEYS" in problem.sentence
        ]
    assert sentence.startswith(told)
    assert OLD not in sentence
    assert "a secret" not in sentence


def test_how_to_make_a_key_is_told(app):
    app.config["STORMPATH_ENCRYPTION_KEYS"] = ["x"]
    with app.app_context():
        (problem,) = encryption.check()
    assert "Fernet.generate_key()" in problem.sentence


def test_the_library_that_is_missing_is_told(app, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    app.config["STORMPATH_ENCRYPTION_KEYS"] = [OLD]
    with app.app_context():
        (problem,) = encryption.check()
    assert "pip install 'stormpath-app[encryption]'" in problem.sentence


@pytest.mark.settings(STORMPATH_ENCRYPTION_KEYS=[OLD, NEW.encode()])
def test_keys_are_text_or_bytes(app):
    with app.app_context():
        assert list(encryption.check()) == []


# --- Secrets, which are always encrypted ---


def test_a_secret_is_encrypted_without_keys_too(context):
    stored = encryption.seal_always("Kessel")
    assert encryption.is_sealed(stored)
    assert stored != encryption.seal_always("Kessel")
    assert encryption.unseal_always(stored) == "Kessel"


def test_a_secret_is_read_after_keys_came_and_after_they_were_replaced(app, context, keys):
    stored = [encryption.seal_always("Kessel")]
    for these in ([OLD], [NEW, OLD], []):
        keys(*these)
        stored.append(encryption.seal_always("Kessel"))
        readable = stored if these else [stored[0], stored[-1]]
        assert {encryption.unseal_always(each) for each in readable} == {"Kessel"}
    with pytest.raises(SecretLocked):
        encryption.unseal_always(stored[1])


def test_a_secret_outlives_the_secret_key_among_the_fallbacks_alone(app, context):
    stored, before = encryption.seal_always("Kessel"), app.config["SECRET_KEY"]
    app.config.update(SECRET_KEY="another one that is long enough", SECRET_KEY_FALLBACKS=[before])
    assert encryption.unseal_always(stored) == "Kessel"
    app.config.update(SECRET_KEY_FALLBACKS=[])
    with pytest.raises(SecretLocked) as caught:
        encryption.unseal_always(stored)
    assert (caught.value.status, "SECRET_KEY" in caught.value.message) == (503, False)


@together("stored", ["", "fernet:", "fernet:nonsense", "Kessel", "fernet:\xfc"])
def test_what_was_never_encrypted_is_no_secret(context, stored):
    with pytest.raises(SecretLocked):
        encryption.unseal_always(stored)


def test_a_secret_needs_the_library(context, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.fernet", None)
    encryption._fernet.cache_clear()
    for verb in (encryption.seal_always, encryption.unseal_always):
        with pytest.raises(NotReady, match="pip install"):
            verb("Kessel")
