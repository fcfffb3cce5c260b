"""Tables that people open in a spreadsheet: no cell of them is taken for a formula."""

from __future__ import annotations

import polars as pl

# What Excel, LibreOffice and Google Sheets take for the beginning of a formula; tab, carriage return and line feed may come before it.
_BEGINS_A_FORMULA = r"^[=+\-@\t\r\n\x{ff1d}\x{ff0b}\x{ff0d}\x{ff20}]"


def spreadsheet_safe(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with an apostrophe before every text, and name of a column, that a spreadsheet would run: ``=1+1`` becomes ``'=1+1``.

    Texts that begin with = + - @ (or their wide forms), a tab or a line end are meant. Such a text is another text afterwards, so this is
    for tables to look at; what is read again by a program is better written as Parquet or JSONL, which nobody runs. Numbers stay.
    """
    text = [name for name, kind in frame.schema.items() if kind == pl.String]
    safe = frame.with_columns(
        pl.when(pl.col(name).str.contains(_BEGINS_A_FORMULA))
        .then("'" + pl.col(name))
        .otherwise(pl.col(name))
        .alias(name)
        for name in text
    )
    names = pl.Series(frame.columns, dtype=pl.String)
    dangerous = names.str.contains(_BEGINS_A_FORMULA).to_list()
    return safe.rename({name: f"'{name}" for name, bad in zip(frame.columns, dangerous, strict=True) if bad})
