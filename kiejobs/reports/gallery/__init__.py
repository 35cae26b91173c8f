"""The gallery: a page that shows jobs, their clips and what was decided about them.

Face: `Campaign`, `Clip`, `gallery_document`, `page_html`.
"""
