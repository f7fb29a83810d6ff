"""Settings of one deployment. Copy this to `instance/config.py`, remove the `#` before what you change, and restart.

Everything here is optional; what is shown is the default or an example. `docs/settings.md` lists all settings.
An environment variable such as FLASK_STORMPATH_BASE_URL wins over this file.
"""

# What signs cookies and forms. By default one is generated into `instance/stormpath_secret_key`. To set your own:
#   python -c 'import secrets; print(secrets.token_urlsafe(48))'
# Keep it out of version control. After a change, forms that are open must be loaded again.
# SECRET_KEY = "..."

# The name of the application, as pages and mails show it.
# STORMPATH_APPLICATION = "My Application"

# The public address of the site, without a slash at the end. Set it where a proxy stands before the site.
# STORMPATH_BASE_URL = "https://www.example.com"

# Where the accounts live. By default `stormpath.db` in this folder.
# STORMPATH_DATABASE_URI = "postgresql+psycopg://user:password@localhost/accounts"

# Whether people may choose a username, and log in with it as well as with their e-mail address.
# STORMPATH_ENABLE_USERNAME = True
