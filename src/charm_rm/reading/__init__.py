"""Files -> frames: one reader for each kind of file, one set of errors, nothing changed in silence."""

from .batches import Batch as Batch
from .batches import batches_of as batches_of
from .columns import TEXTS as TEXTS
from .columns import name_texts as name_texts
from .containers import Source as Source
from .containers import read_typed as read_typed
from .containers import source_of as source_of
from .containers import typed_names as typed_names
from .json_columns import json_series as json_series
from .json_text import names as names
from .json_text import read_json as read_json
from .json_text import read_json_lines as read_json_lines
from .json_text import read_json_table as read_json_table
from .parts import is_several as is_several
from .parts import sources_of as sources_of
from .parts import stacked as stacked
from .refusals import wrong_encoding as wrong_encoding
from .separated import header as header
from .separated import read_separated as read_separated
from .stringified import with_messages as with_messages
