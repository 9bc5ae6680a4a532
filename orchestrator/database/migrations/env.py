"""What alembic runs to migrate: on the connection that `creation.migrate` hands over, in its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
