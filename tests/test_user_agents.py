"""Browsers, in words."""

import pytest

from stormpath_app import user_agents

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
WINDOWS, MAC = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
LINUX, ANDROID = "Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (Linux; Android 10; K)"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X)"
IPAD = "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X)"

KNOWN = {
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0": "Firefox on Windows",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0": "Firefox on Linux",
    "Mozilla/5.0 (Android 14; Mobile; rv:128.0) Gecko/128.0 Firefox/128.0": "Firefox on Android",
    f"{IPHONE} {APPLE} FxiOS/128.0 Mobile/15E148 Safari/605.1.15": "Firefox on iPhone",
    f"{WINDOWS} {WEBKIT} Chrome/126.0.0.0 Safari/537.36": "Chrome on Windows",
    f"{LINUX} {WEBKIT} Chrome/126.0.0.0 Safari/537.36": "Chrome on Linux",
    f"{ANDROID} {WEBKIT} Chrome/126.0.0.0 Mobile Safari/537.36": "Chrome on Android",
    f"{IPHONE} {APPLE} CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
    f"Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) {WEBKIT} Chrome/126.0.0.0 Safari/537.36": "Chrome on ChromeOS",
    f"{WINDOWS} {WEBKIT} Chrome/126.0.0.0 Safari/537.36 Edg/126.0.0.0": "Edge on Windows",
    f"{ANDROID} {WEBKIT} Chrome/126.0.0.0 Mobile Safari/537.36 EdgA/126.0.0.0": "Edge on Android",
    f"{MAC} {WEBKIT} Chrome/126.0.0.0 Safari/537.36 OPR/111.0.0.0": "Opera on Mac",
    f"{ANDROID} {WEBKIT} SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36": "Samsung Internet on Android",
    f"{MAC} {APPLE} Version/17.5 Safari/605.1.15": "Safari on Mac",
    f"{IPHONE} {APPLE} Version/17.5 Mobile/15E148 Safari/604.1": "Safari on iPhone",
    f"{IPAD} {APPLE} Version/16.6 Mobile/15E148 Safari/604.1": "Safari on iPad",
    f"{ANDROID} AppleWebKit/534.30 (KHTML, like Gecko) Version/4.0 Mobile Safari/534.30": "Unknown browser on Android",
    f"{LINUX}": "Unknown browser on Linux",
    "Firefox/1": "Firefox",
    "curl/8.5.0": "Unknown browser",
    "": "Unknown browser",
    None: "Unknown browser",
    "<script>alert(1)</script>": "Unknown browser",
}


@pytest.mark.parametrize(("user_agent", "told"), KNOWN.items(), ids=KNOWN.values())
def test_a_browser_is_told_by_the_names_that_people_know(user_agent, told):
    assert user_agents.device(user_agent) == told


def test_what_is_held_in_a_hand_is_told_from_what_stands_on_a_desk():
    in_hand = {told for user_agent, told in KNOWN.items() if user_agents.is_phone(user_agent)}
    assert in_hand == {told for told in KNOWN.values() if told.endswith(("iPhone", "iPad", "Android"))}
