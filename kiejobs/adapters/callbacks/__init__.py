"""The receiver of the API's callbacks."""
