"""From a page's text to the requests that it describes.

Face: `documents_of`, `requests_of`, `ApiRequest`, `described`.
"""
