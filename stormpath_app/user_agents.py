"""What a browser says it is, in words. It can say what it likes: the words are for people, and decide nothing."""

from .translation import gettext as _

#: What stands in a User-Agent, and the name that people know: the first found counts, as most of them name others too.
_BROWSERS = (
    *(("Edg/", "Edge"), ("EdgA/", "Edge"), ("EdgiOS/", "Edge"), ("OPR/", "Opera"), ("OPT/", "Opera")),
    *(("SamsungBrowser/", "Samsung Internet"), ("Vivaldi/", "Vivaldi"), ("YaBrowser/", "Yandex Browser")),
    *(("DuckDuckGo/", "DuckDuckGo"), ("Ddg/", "DuckDuckGo"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox")),
    *(("Chrome/", "Chrome"), ("CriOS/", "Chrome"), ("Version/", "Safari")),
)
_SYSTEMS = (
    *(("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("CrOS", "ChromeOS"), ("Windows", "Windows")),
    *(("Macintosh", "Mac"), ("FreeBSD", "FreeBSD"), ("OpenBSD", "OpenBSD"), ("Linux", "Linux")),
)


def device(user_agent: str | None) -> str:
    """Return "Firefox on Windows", as far as it is told; "Unknown browser" for what nobody knows.

    Browsers hide much by now: a new iPad says it is a Mac, and no Windows says which.
    """
    browser, system = _first(_BROWSERS, user_agent), _first(_SYSTEMS, user_agent)
    if browser == "Safari" and system not in {"iPhone", "iPad", "Mac"}:  # others have a version too
        browser = None
    name = browser or _("Unknown browser")
    return _("%(browser)s on %(system)s", browser=name, system=system) if system else name


def is_phone(user_agent: str | None) -> bool:
    """Tell whether it is something to be held in a hand."""
    return any(word in (user_agent or "") for word in ("iPhone", "iPad", "Android"))


def _first(known: tuple[tuple[str, str], ...], user_agent: str | None) -> str | None:
    return next((name for mark, name in known if mark in (user_agent or "")), None)
