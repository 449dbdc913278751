"""Makes Superset's administrator, or sets the password when there is one. Run with Superset's own Python.

The password is read from SUPERSET_ADMIN_PASSWORD: `superset fab create-admin --password …` would show it to everybody
who lists the processes.
"""

import os

from superset.app import create_app

app = create_app()
with app.app_context():
    manager = app.appbuilder.sm
    password = os.environ["SUPERSET_ADMIN_PASSWORD"]
    user = manager.find_user("admin")
    if user is not None:
        manager.reset_password(user.id, password)
    elif not manager.add_user("admin", "Retention", "Admin", "admin@localhost", manager.find_role("Admin"), password):
        raise SystemExit("Superset refused to make its administrator; its log says why")
