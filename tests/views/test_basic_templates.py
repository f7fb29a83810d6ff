"""The two "Most Basic Templates" of Flask-Stormpath 0.4.6's manual, to the letter, in a host's `templates` folder."""

import pytest
from bs4 import BeautifulSoup
from flask_wtf import CSRFProtect

from ..conftest import PASSWORD

pytestmark = pytest.mark.sqlite  # about pages and texts: their statements are tried elsewhere on all databases

REGISTER = """\
<form method="post">
  {{ form.hidden_tag() }}

  {# This bit of code displays a list of error messages if anything bad happens. #}
  {% with messages = get_flashed_messages() %}
    {% if messages %}
      <ul>
        {% for message in messages %}
          <li>{{ message }}</li>
        {% endfor %}
      </ul>
    {% endif %}
  {% endwith %}

  {# This block of code renders the desired input boxes for registering users. #}
  {% if config['STORMPATH_ENABLE_USERNAME'] %}
    {% if config['STORMPATH_REQUIRE_USERNAME'] %}
      {{ form.username(placeholder='Username', required='true') }}
    {% else %}
      {{ form.username(placeholder='Username') }}
    {% endif %}
  {% endif %}

{% if config['STORMPATH_ENABLE_GIVEN_NAME'] %}
  {% if config['STORMPATH_REQUIRE_GIVEN_NAME'] %}
    {{ form.given_name(placeholder='First Name', required='true') }}
  {% else %}
    {{ form.given_name(placeholder='First Name') }}
  {% endif %}
{% endif %}
{% if config['STORMPATH_ENABLE_MIDDLE_NAME'] %}
  {% if config['STORMPATH_REQUIRE_MIDDLE_NAME'] %}
    {{ form.middle_name(placeholder='Middle Name', required='true') }}
  {% else %}
    {{ form.middle_name(placeholder='Middle Name') }}
  {% endif %}
{% endif %}
{% if config['STORMPATH_ENABLE_SURNAME'] %}
  {% if config['STORMPATH_REQUIRE_SURNAME'] %}
    {{ form.surname(placeholder='Last Name', required='true') }}
  {% else %}
    {{ form.surname(placeholder='Last Name') }}
  {% endif %}
{% endif %}
{{ form.email(placeholder='Email', required='true', type='email') }}
{{ form.password(placeholder='Password', required='true', type='password') }}

<button type="submit">Create Account</button>
</form>

"""

LOGIN = """\
{# Display errors (if there are any). #}
{% with messages = get_flashed_messages() %}
  {% if messages %}
    <ul>
      {% for message in messages %}
        <li>{{ message }}</li>
      {% endfor %}
    </ul>
  {% endif %}
{% endwith %}

{# Render the login form. #}
<form method="post">
  {{ form.hidden_tag() }}
  {% if config['STORMPATH_ENABLE_USERNAME'] %}
    {{ form.login(placeholder='Username or Email', required='true') }}
  {% else %}
    {{ form.login(placeholder='Email', required='true') }}
  {% endif %}
  {{ form.password(placeholder='Password', required='true') }}
  <button type="submit">Log In</button>
</form>

{# If social login is enabled, display social login buttons. #}
{% if config['STORMPATH_ENABLE_FACEBOOK'] or config['STORMPATH_ENABLE_GOOGLE'] %}
  <p>Or, log in using a social provider.</p>
  {% if config['STORMPATH_ENABLE_FACEBOOK'] %}
{% include "flask_stormpath/facebook_login_form.html" %}
{% endif %}
{% if config['STORMPATH_ENABLE_GOOGLE'] %}
    {% include "flask_stormpath/google_login_form.html" %}
{% endif %}
{% endif %}
"""

STRICT = "default-src 'self'"

BASE = """\
<!doctype html>
<html lang="en">
<head>
  <title>{% block title %}{% endblock %} | Falcon</title>
  {% block head %}{% endblock %}
</head>
<body>
  <p>Welcome aboard, {{ user.given_name or 'stranger' }}.</p>
  {% block body %}{% endblock %}
</body>
</html>
"""

OUR_OWN = {"STORMPATH_REGISTRATION_TEMPLATE": "register.html", "STORMPATH_LOGIN_TEMPLATE": "login.html"}


@pytest.fixture
def templates(app, tmp_path):
    """Return the `templates` folder of the host."""
    folder = tmp_path / "templates"
    folder.mkdir()
    app.template_folder = str(folder)
    return folder


@pytest.fixture
def basic(templates):
    """Put the two most basic templates there."""
    (templates / "register.html").write_text(REGISTER)
    (templates / "login.html").write_text(LOGIN)


def soup(answer):
    return BeautifulSoup(answer.text, "html.parser")


def told(answer):
    return [item.text for item in soup(answer).select("ul li")]


def form(client, page, **typed):
    """Fill the form of a page as a browser does, hidden fields and all, and send it."""
    fields = {field["name"]: field.get("value", "") for field in soup(client.get(page)).select("form input")}
    assert fields.keys() >= typed.keys()
    return client.post(page, data={**fields, **typed})


LEIA = {"given_name": "Leia", "surname": "Organa", "email": "leia@alderaan.example", "password": PASSWORD}


@pytest.mark.settings(**OUR_OWN)
def test_people_register_and_log_in_with_the_two_basic_templates(client, basic):
    assert form(client, "/register", **LEIA).location == "/"
    assert client.get("/secret").text == "Hello Leia"
    client.get("/logout")
    assert form(client, "/login?next=/secret", login=LEIA["email"], password=PASSWORD).location == "/secret"
    assert client.get("/secret").text == "Hello Leia"


@pytest.mark.settings(**OUR_OWN)
def test_the_basic_registration_page_lists_all_that_was_wrong(client, basic):
    answer = form(client, "/register", **LEIA | {"surname": "", "email": ""})
    assert (answer.status_code, sorted(told(answer))) == (
        200,
        ["Surname is required.", "You must provide an email address."],
    )
    answer = form(client, "/register", **LEIA | {"password": "hilol!"})
    assert told(answer) == [
        "Account password minimum length not satisfied.",
        "Password requires at least 1 numeric character.",
        "Password requires at least 1 uppercase character.",
    ]
    assert soup(answer).select_one("[name=given_name]")["value"] == "Leia"
    assert "hilol!" not in answer.text
    form(client, "/register", **LEIA)
    client.get("/logout")
    assert len(told(form(client, "/register", **LEIA))) == 1


@pytest.mark.settings(**OUR_OWN)
def test_the_basic_login_page_lists_all_that_was_wrong(client, account, basic):
    answer = form(client, "/login", login="han@falcon.example", password="wrong")
    assert (answer.status_code, told(answer)) == (200, ["Invalid username or password."])
    assert soup(answer).select_one("[name=login]")["value"] == "han@falcon.example"
    assert soup(answer).select_one("[name=password]").get("value", "") == ""
    answer = form(client, "/login", login="", password="")
    assert told(answer) == ["Login identifier required.", "Password required."]
    assert told(client.get("/login")) == []
    client.get("/secret")
    assert told(client.get("/login?next=%2Fsecret")) == ["Log in to open this page."]


@pytest.mark.settings(**OUR_OWN)
@pytest.mark.parametrize("page", ["/login", "/register"])
def test_the_basic_templates_carry_the_token_and_are_refused_without_it(client, basic, page):
    token = soup(client.get(page)).select_one("form input[type=hidden][name=csrf_token]")
    assert token["value"]
    answer = client.post(page, data={"login": "han@falcon.example", "password": PASSWORD})
    assert answer.status_code == 400
    assert told(answer) == ["This page was open for too long. Send it once more."]


@pytest.mark.settings(**OUR_OWN)
def test_a_host_that_protects_all_its_forms_needs_nothing_more(app, client, account, basic):
    CSRFProtect(app)
    assert client.post("/login", data={"login": "han@falcon.example", "password": PASSWORD}).status_code == 400
    assert form(client, "/login", login="solo", password=PASSWORD).location == "/"
    assert form(client, "/login?next=/", login="wrong", password=PASSWORD).status_code == 200


@pytest.mark.settings(**OUR_OWN, STORMPATH_ENABLE_USERNAME=True, STORMPATH_REQUIRE_USERNAME=False)
def test_the_basic_templates_follow_the_settings(app, client, account, basic):
    app.config.update(STORMPATH_ENABLE_MIDDLE_NAME=False, STORMPATH_REQUIRE_GIVEN_NAME=False)
    page = soup(client.get("/register"))
    assert [field["placeholder"] for field in page.select("input[placeholder]")] == [
        *("Username", "First Name", "Last Name", "Email", "Password")
    ]
    assert [field["name"] for field in page.select("input[required]")] == ["surname", "email", "password"]
    assert soup(client.get("/login")).select_one("[name=login]")["placeholder"] == "Username or Email"
    assert form(client, "/login", login="SOLO", password=PASSWORD).location == "/"


@pytest.mark.settings(
    **OUR_OWN,
    STORMPATH_ENABLE_FACEBOOK=True,
    STORMPATH_ENABLE_GOOGLE=True,
    STORMPATH_SOCIAL={
        "FACEBOOK": {"app_id": "falcon", "app_secret": "of Facebook"},
        "GOOGLE": {"client_id": "falcon", "client_secret": "of Google"},
    },
)
def test_an_app_that_had_social_login_still_shows_its_login_page(client, basic):
    page = soup(client.get("/login"))
    assert page.select_one("[name=password]")
    assert [form["action"] for form in page.select("form[action]")] == ["/facebook", "/google"]
    assert {mark["width"] for mark in page.select("form[action] svg")} == {"18"}  # else as wide as the page


# --- What a template of the host's changes about the answer ---


@pytest.mark.settings(**OUR_OWN)
@pytest.mark.parametrize("page", ["/login", "/register"])
def test_a_hosts_own_template_may_bring_scripts_and_styles_from_anywhere(client, basic, page):
    answer = client.get(page)
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'; object-src 'none'; base-uri 'none'"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.settings(STORMPATH_LOGIN_TEMPLATE="login.html")
def test_the_pages_that_are_still_ours_keep_the_strict_policy(client, basic):
    assert STRICT not in client.get("/login").headers["Content-Security-Policy"]
    assert STRICT in client.get("/register").headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", ["login", "register"])
def test_a_template_under_our_own_name_is_the_hosts(client, templates, name):
    (templates / "flask_stormpath").mkdir()
    (templates / "flask_stormpath" / f"{name}.html").write_text(LOGIN if name == "login" else REGISTER)
    answer = client.get(f"/{name}")
    assert answer.text.lstrip().startswith("<form")
    assert STRICT not in answer.headers["Content-Security-Policy"]


@pytest.mark.settings(STORMPATH_BASE_TEMPLATE="base.html", STORMPATH_ENABLE_FORGOT_PASSWORD=True)
@pytest.mark.parametrize("page", ["/login", "/register", "/logout", "/forgot", "/verify"])
def test_our_pages_extend_a_hosts_base_template(app, client, templates, page):
    app.config["STORMPATH_LOGOUT_REQUIRES_POST"] = True
    (templates / "base.html").write_text(BASE)
    answer = client.get(page)
    assert soup(answer).title.text.endswith(" - My Application | Falcon")
    assert "Welcome aboard, stranger." in answer.text
    assert soup(answer).select_one("form [name=csrf_token]")
    assert soup(answer).select_one("head link[rel=stylesheet]")["href"] == "/stormpath/static/stormpath.css"
    assert STRICT not in answer.headers["Content-Security-Policy"]


@pytest.mark.settings(STORMPATH_BASE_TEMPLATE="base.html")
def test_a_page_that_cannot_be_answered_stands_on_our_own_base(client, templates):
    (templates / "base.html").write_text("{{ 1 / 0 }}")
    answer = client.post("/login", json={})
    assert answer.status_code == 415
    assert soup(answer).h1.text == "Not a form"
