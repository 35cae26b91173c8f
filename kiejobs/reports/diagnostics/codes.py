"""What the codes of diagnostics mean, for reference pages and for tools that list rules.

In: nothing. Out: a table. Touches nothing.
"""

from __future__ import annotations

MEANINGS = {
    "axis-glob": "A `glob` axis has a pattern that is not allowed, or that no file matches.",
    "axis-range": "A `range` axis has bounds or a step that make no numbers.",
    "axis-source": "An axis that is a mapping must say one of `from`, `range` and `glob`.",
    "axis-value": "A value of an axis can't be named in an address: a mapping without `id` or `name`.",
    "axis-zip": "`zip` names axes that can't be walked together: not as long as one another, or no axes.",
    "data-file": "A table can't be read: it is not there, outside of the job file's folder, hidden, too "
    "large, or of a kind that is not known.",
    "duplicate-request": "Two jobs would buy the very same request. `takes` says that this is meant.",
    "duplicate-row": "Two `include` entries make rows with the same address.",
    "duplicate-value": 'An axis has a value twice, counted after coercion: `5` and `"5"` are one.',
    "empty-job": "`exclude` leaves nothing of a job.",
    "exclude-key": "An `exclude` entry names something that is not an axis.",
    "fault": "A fault file for the sandbox has a mistake.",
    "file-path": "A path that can't name a local file: one that leaves the job file's folder, is "
    "hidden there, or is a folder or a device.",
    "field-conflict": "Fields whose values the model doesn't take together.",
    "field-set-twice": "An axis fills a field that `input` sets to something else.",
    "file-unreadable": "A job file can't be read as it was at a revision. Only `render --diff` tells it.",
    "invalid-field": "A value that the model's schema refuses.",
    "invalid-text": "A request that JSON can't carry exactly, such as half a surrogate pair.",
    "jobfile-structure": "The file has not the form of a job file: a wrong type, a missing key.",
    "matrix-too-large": "Working the matrix out would take too long: millions of combinations "
    "against many `exclude` and `include` entries.",
    "missing-field": "The model needs a field that neither `input` nor an axis gives.",
    "missing-file": "There is no file at a path below the job file's folder, or it can't be read.",
    "model-schema": "A schema in the project's own `schemas/models` is not JSON, or not in the form that "
    "a model's schema has to have.",
    "near-limit": "A text has nine tenths or more of the characters that the model takes. A warning.",
    "no-model": "A job names no model, and `defaults` names none either.",
    "output-collision": "Two jobs would write the same file.",
    "output-path": "`output` gives a path that would leave the output folder, or no system takes.",
    "policy-rule": "What a job file asks for breaks a rule of `kiejobs.yaml`. Only `validate` tells it "
    "this way; `plan` and `run` end with exit code 5.",
    "policy-structure": "`kiejobs.yaml` has not the form of a policy.",
    "price-field": "A price file speaks of an input field that the model doesn't have.",
    "price-model": "A price file has a price for a model that there is no schema for: a warning.",
    "price-overlap": "Two lines of a price file fit the same request: which one counts?",
    "price-structure": "`prices.yaml` has not the form of a price file.",
    "price-value": "A price file wants a value that the model's field never has, or a quantity of a "
    "field that holds no number.",
    "table-key": "A row of a table has no key, or the key of another row, or there is no such column.",
    "table-syntax": "A table is not well-formed: a quote, a cell or a bracket too many or too few.",
    "template": "A template can't be read, or can't be rendered for some combination.",
    "too-many-jobs": "The file makes more jobs than `limits.max_jobs`, or the default, allows.",
    "unfit-file": "A local file that the model would not take: its type by its bytes, its size, or "
    "a picture that does not decode.",
    "unknown-field": "A field that the model doesn't have. The API would ignore it, and charge.",
    "unknown-key": "A key that a job file, a policy or a price file doesn't have.",
    "unknown-model": "There is no schema for this model.",
    "unknown-variable": "`--var` or a file that is given by `--vars-file` sets a variable that the job file "
    "doesn't declare under `vars`.",
    "unused-axis": "An axis is no input field of its job's model, and no template of it reads it. A warning.",
    "unused-variable": "A variable is declared under `vars`, and no template reads it. A warning; names that "
    "begin with `x-` are yours.",
    "useless-exclude": "An `exclude` entry removes nothing, so it says something else than was meant.",
    "variables-structure": "A file that is given by `--vars-file` is no mapping.",
    "yaml-alias": "An alias without its anchor, one that contains itself, or aliases that blow the "
    "file up.",
    "yaml-depth": "Nested deeper than any job file needs to be.",
    "yaml-documents": "A second document begins. One file is one campaign.",
    "yaml-duplicate-key": "A key is there twice in one mapping.",
    "yaml-empty": "There is nothing in the file.",
    "yaml-encoding": "The file is not UTF-8, or holds characters that nobody can see.",
    "yaml-key": "A key that is not text.",
    "yaml-number": "A number that JSON can't hold, or not exactly.",
    "yaml-size": "The file is larger than 64 MB, or holds more values than it may.",
    "yaml-syntax": "This is not YAML. A template without quotes is the usual reason.",
    "yaml-tag": "A tag that has no meaning here, or a value that is not what its tag promises.",
}

WARNINGS = frozenset({"near-limit", "unused-axis", "unused-variable"})
"""Codes of what is said and lived with, unless `--strict` asks for more."""
