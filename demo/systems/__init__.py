"""The demo company's running source systems: two PostgreSQL databases and a Bitrix24 REST server."""
