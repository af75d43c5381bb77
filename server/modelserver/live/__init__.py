"""Settings that change while the server runs, without a restart. The models never change by them."""
