"""What a user without kiejobs would write in an afternoon: a table and a template become requests with fingerprints.

In: the model's schema as the first argument, scenes.csv. Out: JSON on stdout. Touches nothing else.
"""

import csv
import hashlib
import itertools
import json
import sys
from pathlib import Path

from jinja2 import StrictUndefined
from jinja2.sandbox import SandboxedEnvironment
from jsonschema import Draft202012Validator

MODEL = "bytedance/v1-pro-fast-image-to-video"
PROMPT = (
    "{{ scene.subject }}, in a {{ scene.mood }} mood, lit by {{ scene.light }} light; "
    "the camera moves slowly around it while steam rises"
)

schema = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
validator = Draft202012Validator(schema["properties"]["input"])
environment = SandboxedEnvironment(undefined=StrictUndefined)
prompt = environment.from_string(PROMPT)
image = environment.from_string("{{ scene.image }}")
with Path("scenes.csv").open(newline="", encoding="utf-8") as file:
    scenes = list(csv.DictReader(file))

plan = []
for scene, resolution, duration in itertools.product(scenes, ["720p", "1080p"], ["5", "10"]):
    body = {
        "prompt": prompt.render(scene=scene),
        "image_url": image.render(scene=scene),
        "resolution": resolution,
        "duration": duration,
    }
    errors = list(validator.iter_errors(body))
    if errors:
        sys.exit(f"{scene['id']}: {errors[0].message}")
    text = json.dumps({"model": MODEL, "input": body}, sort_keys=True)
    plan.append(
        {
            "address": f"tea[{duration},{resolution},{scene['id']}]",
            "fingerprint": hashlib.sha256(text.encode()).hexdigest(),
            "input": body,
        }
    )
json.dump(plan, sys.stdout)
