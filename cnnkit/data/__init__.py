"""Images of users: shapes, batches and scaling."""
