"""A run as one file, ``run.html``: the page that shows it, and the database that it is."""
