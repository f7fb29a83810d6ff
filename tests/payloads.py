"""What attackers and odd machines send: the public payloads of the security requirements, and others like them."""

#: Two spellings of one address: the second is taken when the first is.
EMAIL_SAME_ACCOUNT = [
    ("user@example.com", "User@Example.com"),
    ("user@example.com", " user@example.com "),
    ("user@bücher.example", "user@xn--bcher-kva.example"),
    ("user@bücher.example", "USER@BÜCHER.example"),
    ("jose\u0301@example.org", "jos\u00e9@example.org"),
    ("straße@example.org", "STRASSE@example.org"),
    ("fish@example.org", "\ufb01sh@example.org"),
    ("mike@example.org", "mike@\uff45xample.org"),
]

#: Of these the second is taken too, and yet its mailbox may be another person's.
EMAIL_ALIKE = [
    ("strasse@example.org", "straße@example.org"),
    ("fish@example.org", "\ufb01sh@example.org"),
    ("mike@example.org", "\uff4dike@example.org"),
    ("kate@example.org", "\u212aate@example.org"),
    ("mike@example.org", "mi\u034fke@example.org"),
]

#: Two addresses that look or sound alike and are two people's.
EMAIL_MUST_BE_DISTINCT = [
    ("mike@example.org", "m\u0131ke@example.org"),
    ("mike@example.org", "m.ike@example.org"),
    ("mike@example.org", "mike+x@example.org"),
    ("mike@example.org", "mike@mail.example.org"),
]

#: What is no address that mail can be sent to, or one that means something else to a mail server.
EMAIL_REJECT = [
    "=?x?q?a?=@example.org",
    "a@b@c.org",
    "x@example.org\nBcc: y@evil.example",
    "x@example.org\r\nBcc: y@evil.example",
    "x@exa\0mple.org",
    "victim@example.org,attacker@evil.example",
    "victim@example.org;attacker@evil.example",
    "<x@example.org>",
    "Han <x@example.org>",
    "mi\u200bke@example.org",
    "\u202emike@example.org",
    "mike@example.org\ud800",
    "mike",
    "@example.org",
    "mike@",
    "mike@-x.example",
    "mike @example.org",
    "mike@[127.0.0.1]",
]

EMAIL_WRONG_TYPE = [["victim@example.org", "attacker@evil.example"], {"a": 1}, True, 5, b"mike@example.org"]

PASSWORD_ACCEPT = ["correct horse battery staple 9A", "Pässwörd-漢字-1A", "  Blanks 4 everyone  ", "Emoji🗝️Kessel12"]

PASSWORD_REJECT_COMMON = ["Password1", "Welcome1", "Qwerty123", "pASSWORD1", "Password123"]

#: Bodies of requests that say they are JSON.
JSON_BODY = [
    "[]",
    "null",
    '"x"',
    '{"email":"a","email":"b"}',
    '{"a":NaN}',
    "{bad",
    "[" * 1000 + "]" * 1000,
    '{"a":' * 1000 + "1" + "}" * 1000,
    '{"a":1e999}',
    '{"a":"\\ud800"}',
    '{"a":"\\u0000"}',
    '{"__proto__":{"x":1}}',
    '{"href":"x","createdAt":"y"}',
    '{"-a":1}',
    '{"":1}',
    '{"a":' + "9" * 4000 + "}",
]

#: What a template engine would run.
TEMPLATE = ["{{7*7}}", "${7*7}", "$!{account.password}", "{% raw %}", "{{ config }}", "${account.password_hash}"]

#: What would begin another header of a mail.
HEADER_INJECTION = ["Hi\r\nBcc: a@evil.example", "Hi\nBcc: a@evil.example"]

#: What a browser would run, or load.
HTML = ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)"]
