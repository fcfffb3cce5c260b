"""What tests of the report share: charts that are not drawn, for those where the words of a page are what is tested."""

from plain_charts import plain_charts  # noqa: F401  (a fixture)
