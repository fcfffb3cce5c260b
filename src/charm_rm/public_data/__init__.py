"""Public data sets: which are known, where they are on this machine, how they come here. The only home of huggingface_hub and pooch."""

from .fetching import fetch_data, fetch_entry
from .places import data_folder, data_home, files_missing, files_there, folder_of, told
from .registry import Entry, find_entry, list_entries

__all__ = [
    "Entry",
    "data_folder",
    "data_home",
    "fetch_data",
    "fetch_entry",
    "files_missing",
    "files_there",
    "find_entry",
    "folder_of",
    "list_entries",
    "told",
]
