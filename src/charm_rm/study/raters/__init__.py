"""What raters did, how far they agree with one another, and which look careless."""
