"""Numbers for Prometheus, made of the database when they are asked for: any process of any machine answers for all."""

import hmac
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from flask import Response, current_app, request

from .. import cache, throttle
from ..errors import NotReady
from ..models import message, session as sessions, statistics
from ..settings import settings

if TYPE_CHECKING:
    from prometheus_client.core import Metric


def metrics() -> Response:
    """Give the numbers to who knows STORMPATH_METRICS_TOKEN."""
    if not _may_read():
        return Response(status=401, headers={"WWW-Authenticate": "Bearer"})
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

    registry = CollectorRegistry()
    registry.register(_Numbers())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_read() -> bool:
    shown, token = request.authorization, settings.METRICS_TOKEN
    if not token or shown is None or shown.type != "bearer" or not shown.token:
        return False
    return hmac.compare_digest(shown.token.encode("utf-8", "surrogatepass"), token.encode("utf-8", "surrogatepass"))


class _Numbers:
    """What Prometheus's library collects."""

    def describe(self) -> Iterable["Metric"]:
        """Name none before they are asked for."""
        return ()

    def collect(self) -> Iterator["Metric"]:
        """Yield all numbers; of a site that cannot serve, that alone."""
        from prometheus_client.core import CounterMetricFamily as Counter, GaugeMetricFamily as Gauge

        try:
            current_app.extensions["stormpath"].health.check()
        except NotReady:
            yield Gauge("stormpath_up", "Whether the site is set up and its database answers.", 0)
            return
        yield Gauge("stormpath_up", "Whether the site is set up and its database answers.", 1)
        totals = statistics.totals()
        logins = Counter("stormpath_logins", "Tries to log in that were looked at.", labels=["outcome"])
        logins.add_metric(["succeeded"], totals[statistics.LOGINS])
        logins.add_metric(["failed"], totals[statistics.FAILURES])
        yield logins
        yield Counter("stormpath_registrations", "Accounts that were made.", totals[statistics.REGISTRATIONS])
        yield Counter("stormpath_password_resets", "New passwords by mail.", totals[statistics.RESETS])
        yield Gauge("stormpath_sessions", "Logins that are alive.", sessions.count_alive())
        number, seconds = message.waiting()
        yield Gauge("stormpath_mails_waiting", "Mails that wait to be sent.", number)
        yield Gauge("stormpath_oldest_mail_seconds", "How long the oldest of them has waited.", seconds)
        yield Gauge(
            "stormpath_throttled", "Accounts, devices and networks whose next try must wait.", throttle.count_waiting()
        )
        hits = Counter("stormpath_cache_hits", "Rows that the cache had; each hour begins at 0.", labels=["region"])
        misses = Counter(
            "stormpath_cache_misses", "Rows that had to be read; each hour begins at 0.", labels=["region"]
        )
        for region, stats in cache.recent_stats(1).items():
            hits.add_metric([region], stats.hits)
            misses.add_metric([region], stats.misses)
        yield from (hits, misses)
