"""What a request costs, by a table that is data.

Face: `PriceTable`, `read_prices`, `price_table`, `check_prices`, `aged_prices`.
"""
