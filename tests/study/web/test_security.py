"""Sessions and forms: what is signed, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("fastapi", reason="needs the [study] extra")
pytest.importorskip("uvicorn", reason="needs the [study] extra")


def test_the_app_has_no_pages_of_documentation() -> None:
    from charm_rm.settings import ServeSettings
    from charm_rm.study.web.app import create_app

    class Secret:
        def secret(self) -> str:
            return "s"

    database: Any = Secret()
    app = create_app(database, ServeSettings())
    assert (app.docs_url, app.redoc_url, app.openapi_url) == (None, None, None)
