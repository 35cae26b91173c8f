"""The fields of a request, in our form.

Face: `fields_of`, `FieldContext`, `one_shape`, `add_stated`.
"""
