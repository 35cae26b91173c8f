"""From a page's text to the requests that it describes."""
