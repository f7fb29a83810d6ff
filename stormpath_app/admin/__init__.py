"""The console at /admin: Flask-Admin's views over the resources and their verbs."""
