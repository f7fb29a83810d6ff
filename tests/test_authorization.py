"""May they? `login_required`."""

from .conftest import statements


def test_a_stranger_is_sent_to_the_login_page_and_back(app, client, account, log_in):
    answer = client.get("/secret?a=b")
    assert (answer.status_code, answer.location) == (302, "/login?next=%2Fsecret%3Fa%3Db")
    assert log_in(client, page=answer.location).location == "/secret?a=b"
    assert client.get("/secret").text == "Hello Han"


def test_a_signed_in_page_costs_one_statement_and_a_public_one_none(app, client, account, log_in):
    log_in(client)
    with statements(app) as seen:
        assert client.get("/").text == "Hello"
    assert seen == []
    with statements(app) as seen:
        assert client.get("/secret").text == "Hello Han"
    assert len(seen) == 1
