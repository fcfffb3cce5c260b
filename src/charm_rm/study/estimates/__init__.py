"""What the votes say: agreement with models, differences, ratings, favour, each with its interval."""
