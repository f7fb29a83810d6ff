"""What our own engine waits for; `tests/test_outages.py` has servers that do not answer."""

import pytest
import sqlalchemy as sa

from stormpath_app import connections


@pytest.mark.parametrize("driver", ["postgresql+psycopg", "postgresql+psycopg2", "mysql+pymysql", "mariadb+pymysql"])
def test_a_new_connection_is_waited_for_as_long_as_we_say_or_as_its_url_says(driver):
    assert connections.options(sa.make_url(f"{driver}://x/y"))["connect_args"]["connect_timeout"] == 2
    assert (
        "connect_timeout" not in connections.options(sa.make_url(f"{driver}://x/y?connect_timeout=9"))["connect_args"]
    )


def test_a_driver_that_we_do_not_know_is_given_nothing_that_it_may_not_know():
    assert connections.options(sa.make_url("postgresql+pg8000://x/y")) == {"pool_pre_ping": True}
