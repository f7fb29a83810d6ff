"""The API key pair that an app's settings name."""

import pytest

from stormpath_app import credentials
from stormpath_app.credentials import Pair, Unusable
from stormpath_app.installation import set_up
from stormpath_app.models import ApiKey, Client, Tenant

from .conftest import make_app
from .test_installation import problems

ID, SECRET = "5LXYCDXBY9OU2JVM8CRDYY8GN", "Wbz8dnVN2cPQTqRqgPqsB2kPcYqnVrNPpNnU6Y9KCZ0"


@pytest.fixture
def file(tmp_path):
    """Return a file with a pair, readable by its owner alone."""
    found = tmp_path / "apiKey.properties"
    found.write_text(credentials.text(Pair(ID, SECRET)))
    found.chmod(0o600)
    return found


@pytest.fixture
def told(app):
    """Return a function: what check() says with these settings, as (level, sentence), without what others say."""
    app.config["TESTING"] = True

    def told(**settings):
        app.config.update({f"STORMPATH_{name}": value for name, value in settings.items()})
        found = [(level, sentence) for level, sentence in problems(app) if "key" in sentence.lower()]
        assert SECRET not in str(problems(app))
        return [(level, sentence) for level, sentence in found if "SECRET_KEY" not in sentence]

    return told


@pytest.mark.parametrize(
    "text",
    [
        f"apiKey.id = {ID}\napiKey.secret = {SECRET}\n",
        f"apiKey.id={ID}\r\napiKey.secret={SECRET}\r\n",
        f"\ufeffapiKey.secret: {SECRET}\napiKey.id {ID}",
        f"# mine\n! too\n\n  apiKey.id = '{ID}'  \n\n\tapiKey.secret = \"{SECRET}\"\nother = 1\napiKey.idx = 7\n",
    ],
)
def test_a_file_of_java_properties_is_read(context, file, text):
    file.write_text(text, newline="")
    context.config["STORMPATH_API_KEY_FILE"] = str(file)
    assert credentials.find() == (ID, SECRET)


def test_a_file_may_be_in_the_home_folder_and_a_path_a_path(context, file, monkeypatch):
    monkeypatch.setenv("HOME", str(file.parent))
    for where in ("~/apiKey.properties", file):
        context.config["STORMPATH_API_KEY_FILE"] = where
        assert credentials.find() == (ID, SECRET)


def test_id_and_secret_may_be_settings_themselves_and_a_file_goes_first(context, file):
    context.config.update(STORMPATH_API_KEY_ID="other", STORMPATH_API_KEY_SECRET="x" * 43)
    assert credentials.find() == ("other", "x" * 43)
    context.config["STORMPATH_API_KEY_FILE"] = str(file)
    assert credentials.find() == (ID, SECRET)


def test_settings_that_name_nothing_are_no_pair(context, told):
    assert credentials.find() is None
    assert told(API_KEY_ID="", API_KEY_SECRET="") == []
    assert told(API_KEY_ID=None, API_KEY_SECRET=None, API_KEY_FILE=None) == []


def test_no_repr_tells_a_secret():
    assert repr(Pair(ID, SECRET)) == f"Pair(id={ID!r})"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"API_KEY_ID": ID}, "STORMPATH_API_KEY_SECRET is missing"),
        ({"API_KEY_SECRET": SECRET}, "STORMPATH_API_KEY_ID is missing"),
        ({"API_KEY_ID": ID, "API_KEY_SECRET": "short"}, "shorter than 32 characters"),
        ({"API_KEY_ID": "a b", "API_KEY_SECRET": SECRET}, "is no id of an API key"),
        ({"API_KEY_FILE": "/nowhere/apiKey.properties"}, "there is no file /nowhere/apiKey.properties"),
    ],
)
def test_a_pair_that_is_not_whole_is_a_warning_that_tells_the_mend(context, told, settings, words):
    ((level, sentence),) = told(**settings)
    assert (level, words in sentence) == ("warning", True)
    with pytest.raises(Unusable):
        credentials.find()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "apiKey.id is missing"),
        (f"apiKey.id = {ID}\napiKey.secret =\n".encode(), "apiKey.secret is missing"),
        (f"apiKey.secret = {SECRET}\n".encode(), "apiKey.id is missing"),
        (f"{ID}:{SECRET}".encode(), "apiKey.id is missing"),
        (b"\xff\xfe\x00" + SECRET.encode(), "cannot be read: it is not text in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_a_warning_without_what_is_in_it(told, file, content, words):
    file.write_bytes(content)
    ((level, sentence),) = told(API_KEY_FILE=str(file))
    assert (level, words in sentence, str(file) in sentence) == ("warning", True, True)
    assert told(API_KEY_FILE=str(file.parent))[0][1].endswith("cannot be read: Is a directory.")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_file_that_others_can_read_or_change_is_told_with_the_command(context, told, file, mode):
    set_up(context)
    ApiKey.adopt(ID, SECRET, tenant_id=Tenant.current().id)
    assert told(API_KEY_FILE=str(file)) == []
    file.chmod(mode)
    sentence = f"STORMPATH_API_KEY_FILE: others can read it. Run `chmod go-rwx {file}`."
    assert told(API_KEY_FILE=str(file)) == [("warning", sentence)]


@pytest.mark.parametrize(
    ("name", "value"), [("API_KEY_ID", 7), ("API_KEY_SECRET", SECRET.encode()), ("API_KEY_FILE", 7)]
)
def test_a_value_of_the_wrong_kind_is_an_error_that_shows_no_secret(told, name, value):
    ((level, sentence),) = told(**{name: value})
    assert level == "error"
    assert sentence.startswith(f"STORMPATH_{name} is ")


# --- What becomes of the pair ---


def test_set_up_makes_the_pair_the_tenants_key_where_there_is_none_yet(app, context, file, told):
    app.config["STORMPATH_API_KEY_FILE"] = str(file)
    ((level, sentence),) = told()
    mend = "`flask stormpath init` makes it one"
    assert (level, sentence) == ("warning", f"The API key {ID} of the settings is not one of the tenant's: {mend}.")
    set_up(app)
    set_up(app)
    assert told() == []
    assert [key.id for key in Client().tenant.api_keys] == [ID]
    assert ApiKey.authenticate(ID, SECRET).account is None


def test_an_old_app_in_memory_has_its_key_without_a_warning(tmp_path):
    app = make_app(tmp_path, STORMPATH_DATABASE_URI="sqlite://")
    app.config.update(STORMPATH_API_KEY_ID=ID, STORMPATH_API_KEY_SECRET=SECRET)
    with app.app_context():
        assert not [sentence for _, sentence in problems(app) if "API" in sentence]
        assert ApiKey.authenticate(ID, SECRET)


def test_a_second_pair_is_not_adopted_but_told(app, context, told):
    Client().tenant.api_keys.create()
    app.config.update(STORMPATH_API_KEY_ID=ID, STORMPATH_API_KEY_SECRET=SECRET)
    set_up(app)
    assert ApiKey.find(ID) is None
    ((level, sentence),) = told()
    assert (level, "`flask stormpath create-api-key` made" in sentence) == ("warning", True)


def test_a_pair_with_another_secret_or_a_disabled_key_is_told(app, context, told):
    key = ApiKey.adopt(ID, SECRET[::-1], tenant_id=Tenant.current().id)
    ((level, sentence),) = told(API_KEY_ID=ID, API_KEY_SECRET=SECRET)
    assert (level, "is not one of the tenant's" in sentence) == ("warning", True)
    key.status = "DISABLED"
    key.save()
    assert told(API_KEY_SECRET=SECRET[::-1]) == [("warning", f"The API key {ID} of the settings is DISABLED.")]


def test_the_key_of_an_account_is_not_taken_for_the_tenants(app, context, account, told):
    with app.app_context():
        key = Client().accounts.get(next(iter(Client().accounts)).href).api_keys.create()
        pair = {"API_KEY_ID": key.id, "API_KEY_SECRET": key.secret}
    assert told(**pair)[0][0] == "warning"
    set_up(app)
    assert len(Client().tenant.api_keys) == 0
