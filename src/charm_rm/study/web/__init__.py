"""The page that raters see, and the admin's. The only home of FastAPI."""
